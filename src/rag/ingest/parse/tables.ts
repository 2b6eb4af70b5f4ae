import { parse } from 'csv-parse/sync';
import { isJsonObject, parseJson, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import { tableText } from './table-text.ts';

const MAX_RECORDS = 100_000;
/** Indented JSON grows with the square of its depth. */
const MAX_DEPTH = 100;

/** A table as lines of `column: value`, a row per paragraph, so that a row can be found and cited by itself. */
export function parseCsv(source: string, delimiter: ',' | '\t'): ParsedDocument {
  let rows: string[][];
  try {
    rows = parse(source, {
      delimiter,
      bom: true,
      relaxColumnCount: true,
      relaxQuotes: true,
      skipEmptyLines: true,
      to: MAX_RECORDS + 2,
    });
  } catch (cause) {
    throw new UnreadableFile('the table is not well-formed', { cause });
  }
  const [header = [], ...records] = rows;
  refuseTooMany(records.length);
  return {
    text: tableText(header, records),
    headings: [],
    metadata: { columns: header.slice(0, 50), rows: records.length },
  };
}

/**
 * JSON: objects with a `content` or `text` are documents of their own, with their id, title and metadata;
 * anything else is one document of indented JSON.
 */
export function parseJsonDocuments(source: string): ParsedDocument[] {
  const value = parseJson(source);
  if (value === undefined) throw new UnreadableFile('the file is not valid JSON');
  const items = Array.isArray(value)
    ? value
    : isJsonObject(value) && Array.isArray(value['documents'])
      ? value['documents']
      : [value];
  refuseTooMany(items.length);
  const documents = items.map(documentOf);
  if (documents.every((document) => document !== undefined)) return documents;
  return [{ text: indented(value), headings: [], metadata: {} }];
}

/** A JSON document per line. */
export function parseJsonLines(source: string): ParsedDocument[] {
  const lines = source.split('\n');
  refuseTooMany(lines.length - 1);
  return lines.flatMap((line, index): ParsedDocument[] => {
    if (line.trim() === '') return [];
    const value = parseJson(line);
    if (value === undefined) throw new UnreadableFile(`line ${index + 1} is not valid JSON`);
    return [documentOf(value, index) ?? { id: String(index + 1), text: indented(value), headings: [], metadata: {} }];
  });
}

function indented(value: JsonValue): string {
  let level: JsonValue[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new UnreadableFile(`it is nested deeper than ${MAX_DEPTH} levels`);
    level = level.flatMap((each) =>
      typeof each === 'object' && each !== null ? Object.values(each).filter((inner) => inner !== undefined) : [],
    );
  }
  return JSON.stringify(value, null, 2);
}

function refuseTooMany(records: number): void {
  if (records > MAX_RECORDS) throw new UnreadableFile(`it has more than ${MAX_RECORDS} records; split it`);
}

function documentOf(value: JsonValue, index: number): ParsedDocument | undefined {
  if (!isJsonObject(value)) return undefined;
  const text = stringAt(value, 'content') ?? stringAt(value, 'text');
  if (text === undefined) return undefined;
  const title = stringAt(value, 'title');
  const stated: JsonObject = isJsonObject(value['metadata']) ? value['metadata'] : {};
  const id = value['id'];
  return {
    id: typeof id === 'string' || typeof id === 'number' ? String(id) : String(index + 1),
    text,
    headings: [],
    metadata: stated,
    ...(title !== undefined && { title }),
  };
}
