import { zipSync } from 'fflate';
import { read, type CellObject, type WorkBook, type WorkSheet } from '@e965/xlsx';
import type { Heading } from '../../documents.ts';
import { readOfficeParts } from './office-parts.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import type { UnpackBudget } from './read-zip.ts';
import { tableText } from './table-text.ts';

const MAX_ROWS = 100_000;
const MAX_SHEETS = 500;
const MAX_COLUMNS = 500;
const MAX_CELL = 10_000;
const MAX_CELLS = 2_000_000;

/**
 * The sheets of a workbook (xlsx, xls, ods), each a section with a row per paragraph. Cells have the text that their
 * program showed last; formulas are not computed, macros and links are not looked at.
 */
export function parseSpreadsheet(bytes: Uint8Array, budget: UnpackBudget): ParsedDocument {
  const book = readBook(bytes, budget);
  if (book.SheetNames.length > MAX_SHEETS) throw new UnreadableFile(`it has more than ${MAX_SHEETS} sheets`);
  const headings: Heading[] = [];
  const bound = { cells: MAX_CELLS, rows: MAX_ROWS };
  let text = '';
  let rows = 0;
  for (const name of book.SheetNames) {
    const sheet = book.Sheets[name];
    const [header = [], ...records] = sheet === undefined ? [] : rowsOf(sheet, bound);
    const body = records.length === 0 ? header.filter((cell) => cell !== '').join(' | ') : tableText(header, records);
    if (body === '') continue;
    headings.push({ level: 1, start: text.length, text: name });
    text += `${name}\n${body}\n\n`;
    rows += records.length;
  }
  return { text: text.trimEnd(), headings, metadata: { sheets: book.SheetNames.slice(0, 50), rows } };
}

function readBook(bytes: Uint8Array, budget: UnpackBudget): WorkBook {
  const isZip = bytes[0] === 0x50;
  return read(isZip ? judgedZip(bytes, budget) : bytes, {
    type: 'array',
    dense: true,
    sheetRows: MAX_ROWS + 1,
    cellFormula: false,
    cellHTML: false,
    cellStyles: false,
    bookVBA: false,
    bookDeps: false,
    bookFiles: false,
  });
}

/** An archive of the parts that were unpacked and judged here, so that the library sees no others. */
function judgedZip(bytes: Uint8Array, budget: UnpackBudget): Uint8Array {
  const utf8 = new TextEncoder();
  const parts = readOfficeParts(bytes, budget);
  if (!parts.has('xl/workbook.xml') && !parts.has('content.xml')) throw new UnreadableFile('it is not a spreadsheet');
  return zipSync(Object.fromEntries([...parts].map(([name, text]) => [name, utf8.encode(text)])), { level: 0 });
}

/** Rows that hold something. Only cells that exist are walked: a sheet may say that it is as large as it likes. */
function rowsOf(sheet: WorkSheet, bound: { cells: number; rows: number }): string[][] {
  const rows: string[][] = [];
  for (const row of Object.values<CellObject[]>(sheet['!data'] ?? [])) {
    const values: string[] = [];
    for (const [column, cell] of Object.entries(row)) {
      const value = textOf(cell);
      if (value === '' || Number(column) >= MAX_COLUMNS) continue;
      if (--bound.cells < 0) throw new UnreadableFile(`it has more than ${MAX_CELLS} cells; split it`);
      values[Number(column)] = value;
    }
    if (values.length === 0) continue;
    if (--bound.rows < 0) throw new UnreadableFile(`it has more than ${MAX_ROWS} rows; split it`);
    rows.push(Array.from(values, (value) => value ?? ''));
  }
  return rows;
}

function textOf(cell: CellObject | undefined): string {
  if (cell === undefined || cell.t === 'z' || cell.t === 'e') return '';
  return String(cell.w ?? cell.v ?? '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_CELL);
}
