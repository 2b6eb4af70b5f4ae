import { SekishoError } from '../../../spec/errors.ts';
import { extensionOf, formatOf, KNOWN_EXTENSIONS, type FileFormat } from './file-format.ts';
import type { ParseAnswer, ParseTask } from './parse-worker.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import { PARSERS } from './parsers.ts';

export interface FileToParse {
  /** With its extension, which tells the format. */
  name: string;
  bytes: Uint8Array;
}

export interface ParseLimits {
  /** After this a file that is still being read is given up. */
  timeoutMs: number;
}

const MAX_FILE_BYTES = 50 * 1024 * 1024;
/** Larger files are read off the event loop: smaller ones take a few milliseconds, about what a worker takes to start. */
const SMALL_BYTES = 128 * 1024;
/** Formats whose parsers may take long whatever the size. */
const HEAVY: ReadonlySet<FileFormat> = new Set(['pdf', 'docx']);
const DEFAULT_LIMITS: ParseLimits = { timeoutMs: 60_000 };

/**
 * Reads a file into documents: most formats hold one, JSON may hold many.
 * @throws SekishoError unsupported_media, unreadable_document with the reason.
 */
export async function parseFile(file: FileToParse, limits: ParseLimits = DEFAULT_LIMITS): Promise<ParsedDocument[]> {
  const { name, bytes } = file;
  const format = formatOf(name, bytes);
  if (format === undefined) {
    const type = extensionOf(name) === '' ? name.slice(0, 100) : extensionOf(name);
    throw new SekishoError('unsupported_media', { values: { type, known: KNOWN_EXTENSIONS.join(', ') } });
  }
  const unreadable = (problem: string, cause?: unknown): SekishoError =>
    new SekishoError('unreadable_document', { values: { document: name.slice(0, 200), problem }, cause });
  if (bytes.length > MAX_FILE_BYTES) throw unreadable(`it is larger than ${MAX_FILE_BYTES} bytes`);
  try {
    const here = bytes.length <= SMALL_BYTES && !HEAVY.has(format);
    const documents = await (here ? PARSERS[format](bytes) : parseInWorker({ format, bytes }, limits));
    if (documents.every((document) => document.text.trim() === '')) throw new UnreadableFile('it holds no text');
    return documents;
  } catch (thrown) {
    throw unreadable(thrown instanceof UnreadableFile ? thrown.message : 'it is damaged', thrown);
  }
}

/** Parses off the event loop, in a worker that ends with its task or its time. */
function parseInWorker(task: ParseTask, { timeoutMs }: ParseLimits): Promise<ParsedDocument[]> {
  const worker = new Worker(new URL('./parse-worker.ts', import.meta.url));
  return new Promise<ParsedDocument[]>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new UnreadableFile(`reading it took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
    const ended = (): void => clearTimeout(timer);
    worker.addEventListener('message', (event: MessageEvent<ParseAnswer>) => {
      ended();
      if ('parsed' in event.data) resolve(event.data.parsed);
      else reject(new UnreadableFile(event.data.problem));
    });
    worker.addEventListener('error', (event) => {
      ended();
      reject(new UnreadableFile('it is damaged', { cause: event.message }));
    });
    worker.postMessage(task);
  }).finally(() => worker.terminate());
}
