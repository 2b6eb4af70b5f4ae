import { decodeText } from './decode-text.ts';
import type { FileFormat } from './file-format.ts';
import { parseHtml } from './html.ts';
import { parseMarkdown } from './markdown.ts';
import type { ParsedDocument } from './parsed.ts';
import { parseCsv, parseJsonDocuments, parseJsonLines } from './tables.ts';

type Parser = (bytes: Uint8Array) => ParsedDocument[] | Promise<ParsedDocument[]>;

/**
 * One parser per format. Most formats hold one document, JSON may hold many. The libraries for PDF and Word are
 * large and loaded where they are used: in workers only.
 */
export const PARSERS: Readonly<Record<FileFormat, Parser>> = {
  text: (bytes) => [{ text: decodeText(bytes), headings: [], metadata: {} }],
  markdown: (bytes) => [parseMarkdown(decodeText(bytes))],
  html: (bytes) => [parseHtml(decodeText(bytes))],
  csv: (bytes) => [parseCsv(decodeText(bytes), ',')],
  tsv: (bytes) => [parseCsv(decodeText(bytes), '\t')],
  json: (bytes) => parseJsonDocuments(decodeText(bytes)),
  jsonl: (bytes) => parseJsonLines(decodeText(bytes)),
  pdf: async (bytes) => [await (await import('./pdf.ts')).parsePdf(bytes)],
  docx: async (bytes) => [await (await import('./docx.ts')).parseDocx(bytes)],
};
