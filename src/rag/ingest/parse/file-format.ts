import { LANGUAGES_BY_EXTENSION } from './code-languages.ts';

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
  adoc: 'text',
  org: 'text',
  tex: 'text',
  csv: 'csv',
  tsv: 'tsv',
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  pdf: 'pdf',
  docx: 'docx',
  pptx: 'pptx',
  xlsx: 'spreadsheet',
  xlsm: 'spreadsheet',
  xls: 'spreadsheet',
  ods: 'spreadsheet',
  epub: 'epub',
  eml: 'mail',
  zip: 'zip',
} as const;

/** The formats that can be read. */
export type FileFormat = (typeof BY_EXTENSION)[keyof typeof BY_EXTENSION] | 'code';

const FORMATS: ReadonlyMap<string, FileFormat> = new Map<string, FileFormat>([
  ...[...LANGUAGES_BY_EXTENSION.keys()].map((extension) => [extension, 'code'] as const),
  ...Object.entries(BY_EXTENSION),
]);

/** Formats whose first bytes are always these; another format's name on them is a mistake or a trick. */
const SIGNATURES: readonly [begin: string, what: string, formats: readonly FileFormat[]][] = [
  ['%PDF-', 'a PDF', ['pdf']],
  ['PK\x03\x04', 'a zip archive', ['zip', 'docx', 'pptx', 'spreadsheet', 'epub']],
  ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'a document of an old Office', ['spreadsheet']],
  ['\x1f\x8b\x08', 'a gzip archive', []],
  ['\x89PNG', 'a picture', []],
  ['\xff\xd8\xff', 'a picture', []],
  ['\x7fELF', 'a program', []],
  ['MZ\x90', 'a program', []],
];

/** What each of these formats has to begin with; a PDF may begin a little later. */
const NEEDED = {
  docx: ['PK\x03\x04'],
  pptx: ['PK\x03\x04'],
  spreadsheet: ['PK\x03\x04', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'],
  epub: ['PK\x03\x04'],
  zip: ['PK\x03\x04', 'PK\x05\x06'],
} satisfies Partial<Record<FileFormat, readonly string[]>>;

/** Extensions that can be read. */
export const KNOWN_EXTENSIONS: readonly string[] = [...FORMATS.keys()];

/** The extension of a file's name, in lower case. */
export function extensionOf(name: string): string {
  return /\.([A-Za-z0-9]{1,12})$/.exec(name.slice(-20))?.[1]?.toLowerCase() ?? '';
}

/** Whether a file of this name may hold more than one document. */
export function mayHoldMany(name: string): boolean {
  const format = FORMATS.get(extensionOf(name));
  return format === undefined || ['json', 'jsonl', 'zip', 'mail'].includes(format);
}

/** The format of a file: by its extension, or by its first bytes where the name tells nothing known. */
export function formatOf(name: string, bytes: Uint8Array): FileFormat | undefined {
  return FORMATS.get(extensionOf(name)) ?? sniffed(bytes);
}

/** What the bytes are, where that is not the format they are named as; undefined where nothing speaks against it. */
export function contradiction(format: FileFormat, bytes: Uint8Array): string | undefined {
  const begin = latin1(bytes, 8);
  const other = SIGNATURES.find(([signature]) => begin.startsWith(signature));
  if (other !== undefined && !other[2].includes(format)) return `its name says ${format}, but it is ${other[1]}`;
  const needed = format in NEEDED ? NEEDED[format as keyof typeof NEEDED] : undefined;
  return needed === undefined || needed.some((signature) => begin.startsWith(signature))
    ? undefined
    : `it is damaged or not a ${format} file`;
}

function sniffed(bytes: Uint8Array): FileFormat | undefined {
  const begin = latin1(bytes, 4_096);
  if (begin.startsWith('%PDF-')) return 'pdf';
  if (/^\s{0,100}(?:<!doctype html|<html[\s>])/i.test(begin.replace(/^\u00ef\u00bb\u00bf/, ''))) return 'html';
  if (!begin.startsWith('PK\x03\x04')) return undefined;
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (begin.includes('mimetypeapplication/epub+zip')) return 'epub';
  if (whole.includes('word/document.xml')) return 'docx';
  if (whole.includes('ppt/presentation.xml')) return 'pptx';
  return whole.includes('xl/workbook.xml') ? 'spreadsheet' : 'zip';
}

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, length)).toString('latin1');
}
