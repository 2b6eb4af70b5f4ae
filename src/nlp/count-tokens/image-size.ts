/** Headers lie at the beginning; a JPEG with a large preview may hide its size beyond this. */
const HEAD_BYTES = 65_536;
const MAX_SIDE = 30_000;

/** Width and height of an image in a data URL: PNG, GIF, WebP, JPEG; undefined for everything else. */
export function imageSize(url: string): { width: number; height: number } | undefined {
  const comma = url.indexOf(',');
  if (!url.startsWith('data:') || comma === -1 || !url.slice(0, comma).endsWith(';base64')) return undefined;
  const head = Buffer.from(url.slice(comma + 1, comma + 1 + Math.ceil((HEAD_BYTES * 4) / 3)), 'base64');
  const size = sizeOf(head);
  if (size === undefined || size.width < 1 || size.height < 1) return undefined;
  return { width: Math.min(size.width, MAX_SIDE), height: Math.min(size.height, MAX_SIDE) };
}

function sizeOf(head: Buffer): { width: number; height: number } | undefined {
  if (head.length < 30) return undefined;
  const magic = head.toString('latin1', 0, 16);
  if (magic.startsWith('\x89PNG')) return { width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  if (magic.startsWith('GIF8')) return { width: head.readUInt16LE(6), height: head.readUInt16LE(8) };
  if (magic.startsWith('RIFF') && magic.slice(8, 12) === 'WEBP') return sizeOfWebp(head, magic.slice(12));
  return magic.startsWith('\xff\xd8') ? sizeOfJpeg(head) : undefined;
}

function sizeOfWebp(head: Buffer, kind: string): { width: number; height: number } | undefined {
  if (kind === 'VP8X') return { width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 };
  if (kind === 'VP8L') {
    const bits = head.readUInt32LE(21);
    return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  return { width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff };
}

/** Walks the segments to the start of a frame (SOF0 to SOF15 without the tables in between). */
function sizeOfJpeg(head: Buffer): { width: number; height: number } | undefined {
  for (let at = 2; at + 9 < head.length && head[at] === 0xff;) {
    const marker = head[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { width: head.readUInt16BE(at + 7), height: head.readUInt16BE(at + 5) };
    }
    at += 2 + head.readUInt16BE(at + 2);
  }
  return undefined;
}
