import mammoth from 'mammoth';
import { parseHtml } from './html.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_UNPACKED_BYTES = 300 * 1024 * 1024;

/** A Word document by way of its meaning as HTML: headings, lists and tables are kept, layout is not. */
export async function parseDocx(bytes: Uint8Array): Promise<ParsedDocument> {
  if (unpackedBytes(bytes) > MAX_UNPACKED_BYTES) throw new UnreadableFile('the document unpacks to too many bytes');
  const { value } = await mammoth.convertToHtml({ buffer: Buffer.from(bytes) });
  return parseHtml(value);
}

/** What the directory of a zip file says its members unpack to (APPNOTE 4.3.12). */
function unpackedBytes(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mark = Buffer.from('PK\x01\x02', 'latin1');
  let sum = 0;
  for (let at = buffer.indexOf(mark); at !== -1 && at + 46 <= buffer.length; at = buffer.indexOf(mark, at + 46)) {
    sum += buffer.readUInt32LE(at + 24);
  }
  return sum;
}
