import { SekishoError } from '../../../spec/errors.ts';
import { decodeText } from './decode-text.ts';
import type { HeavyAnswer, HeavyTask } from './heavy-worker.ts';
import { parseHtml } from './html.ts';
import { parseMarkdown } from './markdown.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import { parseCsv, parseJsonDocuments, parseJsonLines } from './tables.ts';

export interface FileToParse {
  /** With its extension, which tells the format. */
  name: string;
  bytes: Uint8Array;
}

type Parser = (bytes: Uint8Array) => ParsedDocument[] | Promise<ParsedDocument[]>;

const MAX_FILE_BYTES = 50 * 1024 * 1024;
const HEAVY_MS = 60_000;

const plainText: Parser = (bytes) => [{ text: decodeText(bytes), headings: [], metadata: {} }];
const markdown: Parser = (bytes) => [parseMarkdown(decodeText(bytes))];
const html: Parser = (bytes) => [parseHtml(decodeText(bytes))];
const jsonLines: Parser = (bytes) => parseJsonLines(decodeText(bytes));

const PARSERS: Readonly<Record<string, Parser>> = {
  md: markdown,
  markdown,
  html,
  htm: html,
  xhtml: html,
  txt: plainText,
  text: plainText,
  log: plainText,
  rst: plainText,
  csv: (bytes) => [parseCsv(decodeText(bytes), ',')],
  tsv: (bytes) => [parseCsv(decodeText(bytes), '\t')],
  json: (bytes) => parseJsonDocuments(decodeText(bytes)),
  jsonl: jsonLines,
  ndjson: jsonLines,
  pdf: (bytes) => heavy({ format: 'pdf', bytes }),
  docx: (bytes) => heavy({ format: 'docx', bytes }),
};

/** Extensions that can be read. */
export const KNOWN_EXTENSIONS: readonly string[] = Object.keys(PARSERS);

/** The extension of a file's name, in lower case. */
export function extensionOf(name: string): string {
  return /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

/**
 * Reads a file into documents: most formats hold one, JSON may hold many.
 * @throws SekishoError unsupported_media, unreadable_document with the reason.
 */
export async function parseFile({ name, bytes }: FileToParse): Promise<ParsedDocument[]> {
  const extension = extensionOf(name);
  const parser = Object.hasOwn(PARSERS, extension) ? PARSERS[extension] : undefined;
  if (parser === undefined) {
    throw new SekishoError('unsupported_media', {
      values: { type: extension === '' ? name.slice(0, 100) : extension, known: KNOWN_EXTENSIONS.join(', ') },
    });
  }
  const unreadable = (problem: string, cause?: unknown): SekishoError =>
    new SekishoError('unreadable_document', { values: { document: name.slice(0, 200), problem }, cause });
  if (bytes.length > MAX_FILE_BYTES) throw unreadable(`it is larger than ${MAX_FILE_BYTES} bytes`);
  try {
    const documents = await parser(bytes);
    if (documents.every((document) => document.text.trim() === '')) throw new UnreadableFile('it holds no text');
    return documents;
  } catch (thrown) {
    throw unreadable(thrown instanceof UnreadableFile ? thrown.message : 'it is damaged', thrown);
  }
}

/** Parses off the event loop, in a worker that ends with its task or its time. */
function heavy(task: HeavyTask): Promise<ParsedDocument[]> {
  const worker = new Worker(new URL('./heavy-worker.ts', import.meta.url));
  return new Promise<ParsedDocument[]>((resolve, reject) => {
    const timer = setTimeout(() => reject(new UnreadableFile(`reading it took longer than ${HEAVY_MS} ms`)), HEAVY_MS);
    const ended = (): void => clearTimeout(timer);
    worker.addEventListener('message', (event: MessageEvent<HeavyAnswer>) => {
      ended();
      if ('parsed' in event.data) resolve([event.data.parsed]);
      else reject(new UnreadableFile(event.data.problem));
    });
    worker.addEventListener('error', (event) => {
      ended();
      reject(new UnreadableFile('it is damaged', { cause: event.message }));
    });
    worker.postMessage(task);
  }).finally(() => worker.terminate());
}
