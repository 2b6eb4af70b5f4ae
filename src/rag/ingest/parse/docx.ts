import { inflateRawSync } from 'node:zlib';
import mammoth from 'mammoth';
import { parseHtml } from './html.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_UNPACKED_BYTES = 200 * 1024 * 1024;
const MAX_MEMBERS = 10_000;
const DEFLATED = 8;

/** A Word document by way of its meaning as HTML: headings, lists and tables are kept, layout is not. */
export async function parseDocx(bytes: Uint8Array): Promise<ParsedDocument> {
  refuseBomb(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const { value } = await mammoth.convertToHtml({ buffer: Buffer.from(bytes) });
  return parseHtml(value);
}

/**
 * Unpacks every member that the directory of a zip file names (APPNOTE 4.3.12) as far as the bound allows: what
 * the directory says about sizes may be a lie.
 */
function refuseBomb(zip: Buffer): void {
  let left = MAX_UNPACKED_BYTES;
  let members = 0;
  const mark = Buffer.from('PK\x01\x02', 'latin1');
  for (let at = zip.indexOf(mark); at !== -1 && at + 46 <= zip.length; at = zip.indexOf(mark, at + 4)) {
    if (++members > MAX_MEMBERS) throw new UnreadableFile(`the document has more than ${MAX_MEMBERS} parts`);
    left -= unpackedBytes(zip, at, left);
    if (left <= 0) throw new UnreadableFile(`the document unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
  }
}

/** The bytes that one member unpacks to, at most `bound`. What cannot be unpacked is left to the reader to refuse. */
function unpackedBytes(zip: Buffer, entry: number, bound: number): number {
  const packedBytes = zip.readUInt32LE(entry + 20);
  const header = zip.readUInt32LE(entry + 42);
  if (zip.readUInt16LE(entry + 10) !== DEFLATED || header + 30 > zip.length) return Math.min(packedBytes, zip.length);
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  try {
    return inflateRawSync(zip.subarray(start, start + packedBytes), { maxOutputLength: bound }).length;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_BUFFER_TOO_LARGE' ? bound : 0;
  }
}
