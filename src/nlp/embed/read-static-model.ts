/** The parts of a static embedding model file; `rows` entries, each with a cost, a scale and a packed row. */
export interface StaticModel {
  readonly id: string;
  readonly dimensions: number;
  /** Row number -> entry; `##x` is a continuation piece of a word. */
  readonly entries: readonly string[];
  /** Cost of each entry in 1/16 nat; only the entries of unspaced scripts use it. */
  readonly costs: Uint16Array;
  readonly scales: Float32Array;
  /** Two columns per byte, low nibble first; value = scale * (nibble - 8). Length rows * dimensions / 2. */
  readonly nibbles: Uint8Array;
  /** 16 hexadecimal digits over all bytes of the file. */
  readonly fingerprint: string;
}

const MAGIC = 'SKSTATIC';
const HEADER_BYTES = 28;
const MAX_ROWS = 1_000_000;
const MAX_DIMENSIONS = 4096;

/** Two 32-bit multiplicative hashes over the file's words: tells versions apart, protects against nothing. */
function fingerprintOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let a = 0x811c9dc5;
  let b = bytes.byteLength | 0;
  const whole = bytes.byteLength & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word = view.getUint32(at, true);
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x85ebca6b);
    b ^= b >>> 13;
  }
  for (let at = whole; at < bytes.byteLength; at += 1) a = Math.imul(a ^ view.getUint8(at), 0x01000193);
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/**
 * Reads the layout documented in models/static-en-ja/README.md.
 *
 * `nibbles` is a view of `bytes`, not a copy: the caller leaves the bytes unchanged afterwards.
 * Throws RangeError when the bytes are no complete model file of version 1.
 */
export function readStaticModel(bytes: Uint8Array): StaticModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder('utf-8', { fatal: true });
  const need = (end: number): void => {
    if (end > bytes.byteLength) throw new RangeError(`static model file ends at ${bytes.byteLength} of ${end} bytes`);
  };
  const align = (at: number): number => (at + 3) & ~3;

  need(HEADER_BYTES);
  if (text.decode(bytes.subarray(0, 8)) !== MAGIC) throw new RangeError('not a static model file');
  const [version, rows, dimensions, bits, infoBytes] = [8, 12, 16, 20, 24].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (version !== 1 || bits !== 4 || rows > MAX_ROWS || dimensions > MAX_DIMENSIONS || dimensions % 2 !== 0) {
    throw new RangeError(
      `static model file: version ${version}, ${rows} x ${dimensions} at ${bits} bits is not supported`,
    );
  }

  let at = HEADER_BYTES + infoBytes;
  need(at + 4);
  const info: unknown = JSON.parse(text.decode(bytes.subarray(HEADER_BYTES, at)));
  const id =
    typeof info === 'object' && info !== null && 'id' in info && typeof info.id === 'string' ? info.id : 'static';
  const entryBytes = view.getUint32(at, true);
  at += 4;
  need(at + entryBytes);
  const entries = text.decode(bytes.subarray(at, at + entryBytes)).split('\n');
  if (entries.length !== rows) throw new RangeError(`static model file: ${entries.length} entries for ${rows} rows`);
  at = align(at + entryBytes);

  const tableBytes = (rows * dimensions) / 2;
  const costsAt = at;
  const scalesAt = align(costsAt + 2 * rows);
  const tableAt = scalesAt + 4 * rows;
  need(tableAt + tableBytes);
  const costs = Uint16Array.from({ length: rows }, (_, row) => view.getUint16(costsAt + 2 * row, true));
  const scales = Float32Array.from({ length: rows }, (_, row) => view.getFloat32(scalesAt + 4 * row, true));
  return {
    id,
    dimensions,
    entries,
    costs,
    scales,
    nibbles: bytes.subarray(tableAt, tableAt + tableBytes),
    fingerprint: fingerprintOf(bytes),
  };
}
