import { crc32, inflateRawSync } from 'node:zlib';
import { UnreadableFile } from './parsed.ts';

/** What may still be unpacked: shared by everything that one upload of a file leads to, nested archives included. */
export interface UnpackBudget {
  bytes: number;
  entries: number;
}

/** One file of an archive. Its content is unpacked when it is asked for, and every time it is. */
export interface ZipEntry {
  name: string;
  /** @throws UnreadableFile where it cannot be unpacked within the budget and the bound of one file. */
  read(): Uint8Array;
}

const MAX_ENTRY_BYTES = 50 * 1024 * 1024;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_NAME_BYTES = 1_000;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const NAMED_IN_UTF8 = 0x800;
const MADE_ON_UNIX = 3;
const FILE_TYPE = 0o170000;
const LINK = 0o120000;

/** A budget for one uploaded file. */
export function unpackBudget(): UnpackBudget {
  return { bytes: 200 * 1024 * 1024, entries: 5_000 };
}

/**
 * The files of a zip archive in the order of its directory (APPNOTE.TXT 6.3.10, 4.3), or why one of them is not
 * read: each fails alone. Nothing that the archive says about sizes is believed: entries are unpacked up to what is
 * left of the budget. Names are told, never used: nothing is written anywhere.
 * @throws UnreadableFile where the archive as a whole cannot be trusted: no directory, too many entries, entries
 * that share their bytes (the overlap by which a small archive unpacks to petabytes).
 */
export function readZip(bytes: Uint8Array, budget: UnpackBudget): (ZipEntry | { name: string; problem: string })[] {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, start } = directoryOf(zip);
  budget.entries -= count;
  if (budget.entries < 0) throw new UnreadableFile('the archive has too many entries; 5,000 are the most');
  const found: (ZipEntry | { name: string; problem: string })[] = [];
  const spans: { start: number; end: number }[] = [];
  const names = new Set<string>();
  let at = start;
  for (let number = 0; number < count; number++) {
    if (at + CENTRAL_BYTES > zip.length || zip.readUInt32LE(at) !== 0x02014b50) {
      throw new UnreadableFile('the directory of the archive is damaged');
    }
    const entry = entryAt(zip, at);
    at = entry.next;
    if (entry.name.endsWith('/')) continue;
    const problem = problemWith(entry, names);
    names.add(entry.name);
    if (problem !== undefined) {
      found.push({ name: entry.name, problem });
      continue;
    }
    const data = dataOf(zip, entry);
    if (data === undefined) {
      found.push({ name: entry.name, problem: 'the archive ends before it' });
      continue;
    }
    spans.push(data);
    found.push({ name: entry.name, read: () => unpacked(zip.subarray(data.start, data.end), entry, budget) });
  }
  spans.sort((a, b) => a.start - b.start);
  if (spans.some((span, place) => span.start < (spans[place - 1]?.end ?? 0))) {
    throw new UnreadableFile('entries of the archive overlap');
  }
  return found;
}

interface CentralEntry {
  name: string;
  flags: number;
  method: number;
  crc: number;
  packedBytes: number;
  header: number;
  isLink: boolean;
  next: number;
}

/** Where the directory begins and how many entries it has, by its end record: the last one in the file. */
function directoryOf(zip: Buffer): { count: number; start: number } {
  const end = zip.lastIndexOf('PK\x05\x06', zip.length - END_BYTES, 'latin1');
  if (end === -1 || zip.length < END_BYTES) throw new UnreadableFile('it is damaged or not a zip archive');
  const count = zip.readUInt16LE(end + 10);
  const start = zip.readUInt32LE(end + 16);
  if (count === 0xffff || start === 0xffffffff) throw new UnreadableFile('archives in the Zip64 form are not read');
  if (zip.readUInt16LE(end + 4) !== 0) throw new UnreadableFile('archives of several volumes are not read');
  return { count, start };
}

function entryAt(zip: Buffer, at: number): CentralEntry {
  const nameBytes = zip.readUInt16LE(at + 28);
  const flags = zip.readUInt16LE(at + 8);
  const isUnix = zip.readUInt8(at + 5) === MADE_ON_UNIX;
  return {
    name: nameOf(zip.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + Math.min(nameBytes, MAX_NAME_BYTES)), flags),
    flags,
    method: zip.readUInt16LE(at + 10),
    crc: zip.readUInt32LE(at + 16),
    packedBytes: zip.readUInt32LE(at + 20),
    header: zip.readUInt32LE(at + 42),
    isLink: isUnix && (zip.readUInt16LE(at + 40) & FILE_TYPE) === LINK,
    next: at + CENTRAL_BYTES + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32),
  };
}

/** Names are UTF-8 where the entry says so or where they are; archives of Japanese Windows have them in Shift_JIS. */
function nameOf(bytes: Buffer, flags: number): string {
  for (const encoding of ['utf-8', 'shift_jis'] as const) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes).normalize('NFC');
    } catch {
      if ((flags & NAMED_IN_UTF8) !== 0) break;
    }
  }
  return bytes.toString('latin1');
}

function problemWith({ name, flags, method, isLink }: CentralEntry, names: ReadonlySet<string>): string | undefined {
  if (/\p{Cc}/u.test(name)) return 'its name holds control characters';
  if (name === '' || /^(?:[/\\]|[A-Za-z]:)/.test(name) || /(?:^|[/\\])\.\.(?:[/\\]|$)/.test(name)) {
    return 'its name leads out of the archive';
  }
  if (names.has(name)) return 'another entry has the same name';
  if (isLink) return 'it is a link';
  if ((flags & ENCRYPTED) !== 0) return 'it is encrypted';
  return method === STORED || method === DEFLATED ? undefined : `it is packed with the unknown method ${method}`;
}

/** Where the packed bytes of an entry lie, its local header included. */
function dataOf(zip: Buffer, { header, packedBytes }: CentralEntry): { start: number; end: number } | undefined {
  if (header + LOCAL_BYTES > zip.length || zip.readUInt32LE(header) !== 0x04034b50) return undefined;
  const start = header + LOCAL_BYTES + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  return start + packedBytes > zip.length ? undefined : { start, end: start + packedBytes };
}

function unpacked(packed: Buffer, entry: CentralEntry, budget: UnpackBudget): Uint8Array {
  const bound = Math.min(MAX_ENTRY_BYTES, budget.bytes);
  const tooLarge = (): UnreadableFile =>
    new UnreadableFile(
      bound < MAX_ENTRY_BYTES
        ? 'the file unpacks to more than 200 MiB in all'
        : `it unpacks to more than ${MAX_ENTRY_BYTES} bytes`,
    );
  if (bound <= 0) throw tooLarge();
  const content =
    entry.method === STORED
      ? packed
      : inflated(packed, bound, () => {
          // What was unpacked in vain counts too: many bombs side by side cost no more than one.
          budget.bytes -= bound;
          return tooLarge();
        });
  budget.bytes -= content.length;
  if (content.length > bound) throw tooLarge();
  if (crc32(content) !== entry.crc) throw new UnreadableFile('it is damaged: its checksum is wrong');
  return content;
}

function inflated(packed: Buffer, bound: number, tooLarge: () => UnreadableFile): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: bound });
  } catch (cause) {
    const full = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw full ? tooLarge() : new UnreadableFile('it is damaged and cannot be unpacked', { cause });
  }
}
