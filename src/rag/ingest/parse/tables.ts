import { parse } from 'csv-parse/sync';
import { isJsonObject, parseJson, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_RECORDS = 100_000;

/** A table as lines of `column: value`, a row per paragraph, so that a row can be found and cited by itself. */
export function parseCsv(source: string, delimiter: ',' | '\t'): ParsedDocument {
  let rows: string[][];
  try {
    rows = parse(source, { delimiter, bom: true, relaxColumnCount: true, skipEmptyLines: true, to: MAX_RECORDS });
  } catch (cause) {
    throw new UnreadableFile('the table is not well-formed', { cause });
  }
  const [header = [], ...records] = rows;
  const text = records
    .map((record) => record.map((value, index) => `${header[index] ?? index + 1}: ${value}`).join('\n'))
    .join('\n\n');
  return { text, headings: [], metadata: { columns: header.slice(0, 50), rows: records.length } };
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
  const documents = items.slice(0, MAX_RECORDS).map(documentOf);
  if (documents.every((document) => document !== undefined)) return documents;
  return [{ text: JSON.stringify(value, null, 2), headings: [], metadata: {} }];
}

/** A JSON document per line. */
export function parseJsonLines(source: string): ParsedDocument[] {
  return source
    .split('\n', MAX_RECORDS)
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const value = parseJson(line);
      if (value === undefined) throw new UnreadableFile(`line ${index + 1} is not valid JSON`);
      return (
        documentOf(value, index) ?? {
          id: String(index + 1),
          text: JSON.stringify(value, null, 2),
          headings: [],
          metadata: {},
        }
      );
    });
}

function documentOf(value: JsonValue, index: number): ParsedDocument | undefined {
  if (!isJsonObject(value)) return undefined;
  const text = stringAt(value, 'content') ?? stringAt(value, 'text');
  if (text === undefined) return undefined;
  const title = stringAt(value, 'title');
  const stated: JsonObject = isJsonObject(value['metadata']) ? value['metadata'] : {};
  return {
    id: stringAt(value, 'id') ?? String(index + 1),
    text,
    headings: [],
    metadata: stated,
    ...(title !== undefined && { title }),
  };
}
