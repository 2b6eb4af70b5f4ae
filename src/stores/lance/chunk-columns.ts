import { Field, FixedSizeList, Float32, List, RecordBatch, Schema, Struct, Table, Utf8, makeData } from 'apache-arrow';
import type { Data, Vector } from 'apache-arrow';
import type { ChunkRow, IndexHit } from '../../ports/chunk-index.ts';

/**
 * What a search reads of a row: all that a hit says, in one column. A column costs a hundred hits more than a
 * millisecond of reading, whatever its width. The text stays out; hits are filled from the stored documents.
 */
export const PLACE_COLUMN = 'place';

/**
 * What a replacement matches old rows with new ones by: the n-th chunk of a document. Chunk ids would not do, they
 * may change with every version of the document.
 */
export const SLOT_COLUMN = 'slot';

/** The columns of a chunk table. */
export function chunkSchema(dimensions: number): Schema {
  return new Schema([
    new Field(SLOT_COLUMN, new Utf8(), false),
    new Field('document_id', new Utf8(), false),
    new Field(PLACE_COLUMN, new Utf8(), false),
    new Field('terms', new Utf8(), false),
    new Field('vector', vectorType(dimensions), false),
    new Field('tags', tagsType(), false),
  ]);
}

/** The width of the vectors of a table. */
export function dimensionsOf(schema: Schema): number {
  const type: unknown = schema.fields.find((field) => field.name === 'vector')?.type;
  return isObject(type) && 'listSize' in type && typeof type.listSize === 'number' ? type.listSize : 0;
}

/** The vector at length 1, on which dot product and cosine are one; the zero vector stays what it is. */
export function unitVector(vector: Float32Array): Float32Array {
  let square = 0;
  for (const value of vector) square += value * value;
  if (square === 0 || Math.abs(square - 1) < 1e-6) return vector;
  const factor = 1 / Math.sqrt(square);
  return vector.map((value) => value * factor);
}

/** Rows as one Arrow table, column by column: no object per cell, vectors copied once. */
export function chunkTable(rows: readonly ChunkRow[], dimensions: number): Table {
  const schema = chunkSchema(dimensions);
  const vectors = new Float32Array(rows.length * dimensions);
  rows.forEach((row, i) => vectors.set(unitVector(row.vector), i * dimensions));
  const length = rows.length;
  const children: Data[] = [
    utf8Column(rows.map(slotOf)),
    utf8Column(rows.map((row) => row.documentId)),
    utf8Column(rows.map(placeOf)),
    utf8Column(rows.map((row) => row.terms)),
    makeData({
      type: vectorType(dimensions),
      length,
      nullCount: 0,
      child: makeData({ type: new Float32(), length: vectors.length, nullCount: 0, data: vectors }),
    }),
    tagsColumn(rows.map((row) => row.tags)),
  ];
  const struct = makeData({ type: new Struct(schema.fields), length, nullCount: 0, children });
  return new Table(schema, [new RecordBatch(schema, struct)]);
}

/** New tags for the rows of the slots given, and nothing else of them. */
export function tagTable(rows: readonly { slot: string; tags: readonly string[] }[]): Table {
  const fields = [new Field(SLOT_COLUMN, new Utf8(), false), new Field('tags', tagsType(), false)];
  const children = [utf8Column(rows.map((row) => row.slot)), tagsColumn(rows.map((row) => row.tags))];
  const struct = makeData({ type: new Struct(fields), length: rows.length, nullCount: 0, children });
  const schema = new Schema(fields);
  return new Table(schema, [new RecordBatch(schema, struct)]);
}

/** The slot of a row; distinct for distinct document ids and ordinals. */
export function slotOf(row: Pick<ChunkRow, 'documentId' | 'ordinal'>): string {
  return `${row.ordinal}@${row.documentId}`;
}

/** A passage stands as a pair before the heading path, whose parts are texts; rows without one have no place for it. */
function placeOf({ chunkId, documentId, start, end, passage, headingPath }: ChunkRow): string {
  const pair = passage === undefined ? [] : [[passage.start, passage.end]];
  return JSON.stringify([chunkId, documentId, start, end, ...pair, ...headingPath]);
}

/** Where a hit stands. */
export type Place = Omit<IndexHit, 'score'>;

/** Reads what placeOf wrote. */
export function placeAt(json: string): Place {
  const parsed: unknown = JSON.parse(json);
  const [chunkId, documentId, start, end, ...rest]: unknown[] = Array.isArray(parsed) ? parsed : [];
  const pair: unknown = rest[0];
  const passage = Array.isArray(pair) ? { start: Number(pair[0]), end: Number(pair[1]) } : undefined;
  return {
    chunkId: String(chunkId),
    documentId: String(documentId),
    start: Number(start),
    end: Number(end),
    ...(passage !== undefined && { passage }),
    headingPath: (passage === undefined ? rest : rest.slice(1)).map(String),
  };
}

/** The column of that name; an answer without it is a fault of the store, not of the caller. */
export function column(table: Table, name: string): Vector {
  const found: Vector | null = table.getChild(name);
  if (found === null) throw new Error(`the index answered without the column ${name}`);
  return found;
}

function vectorType(dimensions: number): FixedSizeList<Float32> {
  return new FixedSizeList(dimensions, new Field('item', new Float32(), true));
}

function tagsType(): List<Utf8> {
  return new List(new Field('item', new Utf8(), true));
}

function utf8Column(values: readonly string[]): Data<Utf8> {
  const valueOffsets = new Int32Array(values.length + 1);
  values.forEach((value, i) => {
    valueOffsets[i + 1] = (valueOffsets[i] ?? 0) + Buffer.byteLength(value);
  });
  const data = Buffer.allocUnsafe(valueOffsets[values.length] ?? 0);
  values.forEach((value, i) => data.write(value, valueOffsets[i] ?? 0));
  return makeData({ type: new Utf8(), length: values.length, nullCount: 0, valueOffsets, data });
}

function tagsColumn(values: readonly (readonly string[])[]): Data<List<Utf8>> {
  const valueOffsets = new Int32Array(values.length + 1);
  values.forEach((tags, i) => {
    valueOffsets[i + 1] = (valueOffsets[i] ?? 0) + tags.length;
  });
  return makeData({
    type: tagsType(),
    length: values.length,
    nullCount: 0,
    valueOffsets,
    child: utf8Column(values.flat()),
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
