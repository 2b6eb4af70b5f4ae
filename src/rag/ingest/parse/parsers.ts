import { LANGUAGES_BY_EXTENSION } from './code-languages.ts';
import { decodeMarkup, decodeText } from './decode-text.ts';
import { extensionOf, type FileFormat } from './file-format.ts';
import { parseHtml } from './html.ts';
import { parseMarkdown } from './markdown.ts';
import type { ParsedDocument } from './parsed.ts';
import type { UnpackBudget } from './read-zip.ts';
import { parseSourceCode } from './source-code.ts';
import { parseCsv, parseJsonDocuments, parseJsonLines } from './tables.ts';

/** Formats that hold other files. */
export type ContainerFormat = 'zip' | 'mail';
/** Formats that hold text themselves. */
export type LeafFormat = Exclude<FileFormat, ContainerFormat>;

type Parser = (bytes: Uint8Array, name: string, budget: UnpackBudget) => ParsedDocument[] | Promise<ParsedDocument[]>;

/**
 * One parser per format. Most formats hold one document, JSON may hold many. The large libraries are loaded where
 * they are used: in workers only.
 */
export const PARSERS: Readonly<Record<LeafFormat, Parser>> = {
  text: (bytes) => [{ text: decodeText(bytes), headings: [], metadata: {} }],
  markdown: (bytes) => [parseMarkdown(decodeText(bytes))],
  html: (bytes) => [parseHtml(decodeMarkup(bytes))],
  csv: (bytes) => [parseCsv(decodeText(bytes), ',')],
  tsv: (bytes) => [parseCsv(decodeText(bytes), '\t')],
  json: (bytes) => parseJsonDocuments(decodeText(bytes)),
  jsonl: (bytes) => parseJsonLines(decodeText(bytes)),
  code: (bytes, name) => [
    parseSourceCode(decodeText(bytes), LANGUAGES_BY_EXTENSION.get(extensionOf(name)) ?? 'javascript'),
  ],
  pdf: async (bytes) => [await (await import('./pdf.ts')).parsePdf(bytes)],
  docx: async (bytes, _, budget) => [await (await import('./docx.ts')).parseDocx(bytes, budget)],
  pptx: async (bytes, _, budget) => [(await import('./pptx.ts')).parsePptx(bytes, budget)],
  spreadsheet: async (bytes, _, budget) => [(await import('./spreadsheet.ts')).parseSpreadsheet(bytes, budget)],
  epub: async (bytes, _, budget) => [(await import('./epub.ts')).parseEpub(bytes, budget)],
};
