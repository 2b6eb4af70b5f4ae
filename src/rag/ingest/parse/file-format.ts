const BY_EXTENSION = {
  md: 'markdown',
  markdown: 'markdown',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  txt: 'text',
  text: 'text',
  log: 'text',
  rst: 'text',
  csv: 'csv',
  tsv: 'tsv',
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  pdf: 'pdf',
  docx: 'docx',
} as const;

/** The formats that can be read. */
export type FileFormat = (typeof BY_EXTENSION)[keyof typeof BY_EXTENSION];

const FORMATS: ReadonlyMap<string, FileFormat> = new Map(Object.entries(BY_EXTENSION));

/** Extensions that can be read. */
export const KNOWN_EXTENSIONS: readonly string[] = [...FORMATS.keys()];

/** The extension of a file's name, in lower case. */
export function extensionOf(name: string): string {
  return /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** The format of a file: by its extension, or by its first bytes where the name tells nothing known. */
export function formatOf(name: string, bytes: Uint8Array): FileFormat | undefined {
  return FORMATS.get(extensionOf(name)) ?? sniffed(bytes);
}

function sniffed(bytes: Uint8Array): FileFormat | undefined {
  const begin = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 4_096)).toString('latin1');
  if (begin.startsWith('%PDF-')) return 'pdf';
  if (/^\s*(?:<!doctype html|<html[\s>])/i.test(begin.replace(/^\u00ef\u00bb\u00bf/, ''))) return 'html';
  const isWord = begin.startsWith('PK\x03\x04') && Buffer.from(bytes).includes('word/document.xml');
  return isWord ? 'docx' : undefined;
}
