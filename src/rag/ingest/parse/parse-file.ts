import { SekishoError } from '../../../spec/errors.ts';
import { contradiction, extensionOf, formatOf, KNOWN_EXTENSIONS, type FileFormat } from './file-format.ts';
import type { ParsePool } from './parse-pool.ts';
import { UnreadableFile, type ParsedDocument, type ParsedPart } from './parsed.ts';
import { PARSERS } from './parsers.ts';
import { unpackBudget } from './read-zip.ts';

export interface FileToParse {
  /** With its extension, which tells the format. */
  name: string;
  bytes: Uint8Array;
}

/** What a file holds. */
export interface ParsedFile {
  /** In the order of the file; several of one path where one file holds many records. */
  documents: (ParsedDocument & { path: string })[];
  /** Files inside this one that could not be read, each with its reason in English. */
  failed: { path: string; problem: string }[];
}

/**
 * Reads a file into documents: most formats hold one, JSON may hold many, archives and mails hold files of their own.
 * @throws SekishoError unsupported_media, unreadable_document with the reason, overloaded.
 */
export type ParseFile = (file: FileToParse) => Promise<ParsedFile>;

const MAX_FILE_BYTES = 50 * 1024 * 1024;
/** Larger files are read off the event loop: smaller ones take a few milliseconds. */
const SMALL_BYTES = 32 * 1024;
/** Formats that are read at once where they are small; every other may take long whatever its size. */
const LIGHT: ReadonlySet<FileFormat> = new Set<FileFormat>([
  'markdown',
  'text',
  'html',
  'csv',
  'tsv',
  'json',
  'jsonl',
  'code',
]);

/** A reader of files over a pool of workers. */
export function createParseFile(pool: ParsePool): ParseFile {
  return async (file) => {
    const { name, bytes } = file;
    const format = formatOf(name, bytes);
    if (format === undefined) {
      const type = extensionOf(name) === '' ? name.slice(0, 100) : extensionOf(name);
      throw new SekishoError('unsupported_media', { values: { type, known: KNOWN_EXTENSIONS.join(', ') } });
    }
    if (bytes.length > MAX_FILE_BYTES) throw unreadable(name, `it is larger than ${MAX_FILE_BYTES} bytes`);
    const found: ParsedFile = { documents: [], failed: [] };
    const take = (part: ParsedPart): void => {
      if ('problem' in part) found.failed.push(part);
      else for (const document of part.documents) found.documents.push({ ...document, path: part.path });
    };
    try {
      const light = bytes.length <= SMALL_BYTES ? lightParser(format) : undefined;
      if (light === undefined) await pool.read({ name, format, bytes }, take);
      else {
        const wrong = contradiction(format, bytes);
        if (wrong !== undefined) throw new UnreadableFile(wrong);
        take({ path: '', documents: await light(bytes, name, unpackBudget()) });
      }
    } catch (thrown) {
      if (thrown instanceof SekishoError) throw thrown;
      const problem = thrown instanceof UnreadableFile ? thrown.message : 'it is damaged';
      if (found.documents.length + found.failed.length === 0) throw unreadable(name, problem, thrown);
      // What was read of an archive before it came to its end early is kept.
      found.failed.push({ path: '', problem: `${problem}; what follows in it was not read` });
    }
    if (found.failed.length === 0 && found.documents.every(({ text }) => text.trim() === '')) {
      throw unreadable(name, 'it holds no text');
    }
    return found;
  };
}

function lightParser(format: FileFormat): (typeof PARSERS)['text'] | undefined {
  if (format === 'zip' || format === 'mail' || !LIGHT.has(format)) return undefined;
  return PARSERS[format];
}

function unreadable(name: string, problem: string, cause?: unknown): SekishoError {
  return new SekishoError('unreadable_document', { values: { document: name.slice(0, 200), problem }, cause });
}
