import { MultiMatchQuery } from '@lancedb/lancedb';
import type { Query, VectorQuery } from '@lancedb/lancedb';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChunkIndex, ChunkRow, IndexRef, IndexSearch } from '../../ports/chunk-index.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import { SLOT_COLUMN, chunkTable, column, slotOf, tagTable, unitVector } from './chunk-columns.ts';
import { openTables } from './open-tables.ts';
import type { OpenTable, OpenTables } from './open-tables.ts';
import { createFindHits } from './places.ts';
import { anyOf, predicateOf } from './predicate.ts';
import { tableName } from './table-name.ts';
import { createUpkeep } from './upkeep.ts';
import type { Upkeep } from './upkeep.ts';

const MOST_HITS = 1000;
/** More distinct terms than any question has; a pasted document is cut to its first terms. */
const MOST_TERMS = 512;
/** Partitions of the vector index that a query visits, of as many as the square root of the rows. */
const PROBES = 48;
/** With a filter, the partitions visited at most until enough rows have matched. */
const MOST_PROBES_FILTERED = 2000;

export interface LanceIndexOptions {
  /** A folder, or an address that Lance knows (`s3://bucket/prefix`). Made at the first write. */
  folder: string;
  clock?: Clock;
  /** Told of upkeep that failed in the background; the table stays usable and upkeep is tried again. */
  log?: (message: string, details: Record<string, unknown>) => void;
}

interface Opened {
  tables: OpenTables;
  upkeep: Upkeep;
}

/**
 * The chunk index on LanceDB: one table per tenant, collection and version. Every failure of the store is a
 * SekishoError storage_unavailable with its cause; vectors of another width than the table's are a conflict.
 */
export function createLanceIndex(options: LanceIndexOptions): ChunkIndex {
  const clock = options.clock ?? systemClock;
  let opening: Promise<Opened> | undefined;
  const findHits = createFindHits();
  const replacing = new Set<Promise<void>>();
  let closed = false;

  async function open(): Promise<Opened> {
    const tables = await openTables(options.folder);
    const onFailure = (table: string, cause: unknown): void =>
      options.log?.('upkeep of an index failed', { table, cause });
    return { tables, upkeep: createUpkeep({ tables, clock, onFailure }) };
  }

  /** The one gate to the store: opens it once, and gives its failures their name. */
  async function use<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    try {
      if (closed) throw new Error('the index is closed');
      opening ??= open();
      return await work(await opening);
    } catch (thrown) {
      if (thrown instanceof SekishoError) throw thrown;
      throw new SekishoError('storage_unavailable', { cause: thrown });
    }
  }

  /** Reads from a table; `empty` where there is none. A handle that fails is opened afresh, once. */
  async function read<T>(ref: IndexRef, empty: T, work: (table: OpenTable) => Promise<T>): Promise<T> {
    const name = tableName(ref);
    return use(async ({ tables }) => {
      const found = await tables.find(name);
      if (found === undefined) return empty;
      try {
        return await work(found);
      } catch (thrown) {
        if (thrown instanceof SekishoError || found.busy > 0) throw thrown;
        tables.forget(name);
        const again = await tables.find(name);
        return again === undefined ? empty : work(again);
      }
    });
  }

  return {
    async replace(ref, documentIds, rows, fresh) {
      checkRows(documentIds, rows);
      const [first] = rows;
      await use(async ({ tables, upkeep }) => {
        const name = tableName(ref);
        const target =
          first === undefined ? await tables.find(name) : await tables.findOrMake(name, first.vector.length);
        if (target === undefined || documentIds.length === 0) return;
        for (const row of rows) checkDimensions(target, row.vector);
        const write = tables.write(target, () => commit(target, documentIds, rows, fresh));
        replacing.add(write);
        await write.finally(() => replacing.delete(write));
        upkeep.noteCommit(target, rows.length);
      });
    },

    async retag(ref, tags) {
      if (tags.size === 0) return;
      await use(async ({ tables, upkeep }) => {
        const target = await tables.find(tableName(ref));
        if (target === undefined) return;
        let rows = 0;
        const write = tables.write(target, async () => void (rows = await commitTags(target, tags)));
        replacing.add(write);
        await write.finally(() => replacing.delete(write));
        if (rows > 0) upkeep.noteCommit(target, rows);
      });
    },

    async searchLexical(ref, terms, search) {
      const query = [...new Set(terms)].slice(0, MOST_TERMS).join(' ');
      if (query.trim() === '' || matchesNothing(search)) return [];
      return read(ref, [], (open) => {
        // A match over several columns, of one column: unlike the plain match query it also sorts before it cuts
        // when no row is indexed yet, and is as fast when they are.
        const match = new MultiMatchQuery(query, ['terms']);
        const predicate = search.where && predicateOf(search.where);
        const request = (): Query => {
          const made = open.table.query().nearestToText(match).limit(limitOf(search));
          return predicate === undefined ? made : made.where(predicate);
        };
        return findHits(open, { query: request, scoreColumn: '_score', toScore: (score) => score });
      });
    },

    async searchDense(ref, vector, search) {
      if (matchesNothing(search) || vector.every((value) => value === 0)) return [];
      return read(ref, [], async (open) => {
        checkDimensions(open, vector);
        const direction = unitVector(vector);
        const predicate = search.where && predicateOf(search.where);
        const request = (): VectorQuery => {
          const made = open.table
            .query()
            .nearestTo(direction)
            .distanceType('dot')
            .nprobes(PROBES)
            .limit(limitOf(search));
          return predicate === undefined ? made : made.maximumNprobes(MOST_PROBES_FILTERED).where(predicate);
        };
        return findHits(open, { query: request, scoreColumn: '_distance', toScore: (distance) => 1 - distance });
      });
    },

    count: (ref) => read(ref, 0, ({ table }) => table.countRows()),

    documentIds: (ref) =>
      read(ref, new Set<DocumentId>(), async ({ table }) => new Set(await texts(table.query(), 'document_id'))),

    optimise: (ref) =>
      use(async ({ tables, upkeep }) => {
        const target = await tables.find(tableName(ref));
        if (target !== undefined) await upkeep.run(target);
      }),

    purge: (ref) =>
      use(async ({ tables, upkeep }) => {
        const target = await tables.find(tableName(ref));
        if (target !== undefined) await upkeep.purge(target);
      }),

    drop: (ref) =>
      use(async ({ tables, upkeep }) => {
        const name = tableName(ref);
        const target = await tables.find(name);
        if (target !== undefined) await upkeep.leave(target);
        await tables.drop(name);
      }),

    async close() {
      closed = true;
      const opened = await opening?.catch(() => undefined);
      if (opened === undefined) return;
      await Promise.allSettled(replacing);
      await opened.upkeep.stop();
      opened.tables.close();
    },
  };
}

/**
 * One commit, whichever way: delete, add, update in place, or a merge that also deletes. The merge reads the whole
 * table, so it is left to documents that have lost chunks. Writers of a table queue: nothing comes between the look
 * and the commit.
 */
async function commit(
  { table, dimensions }: OpenTable,
  documentIds: readonly DocumentId[],
  rows: readonly ChunkRow[],
  fresh: boolean,
): Promise<void> {
  const ofDocuments = anyOf('document_id', documentIds);
  if (rows.length === 0) {
    if (!fresh) await table.delete(ofDocuments);
    return;
  }
  const old = fresh ? [] : await texts(table.query().where(ofDocuments), SLOT_COLUMN);
  const data = chunkTable(rows, dimensions);
  if (old.length === 0) {
    await table.add(data);
    return;
  }
  const kept = new Set(rows.map(slotOf));
  const upsert = table.mergeInsert(SLOT_COLUMN).whenMatchedUpdateAll().whenNotMatchedInsertAll();
  const shrinks = old.some((slot) => !kept.has(slot));
  await (shrinks ? upsert.whenNotMatchedBySourceDelete({ where: ofDocuments }) : upsert).execute(data);
}

/** Writes the tag column of the rows of documents, and no other column. @returns how many rows. */
async function commitTags({ table }: OpenTable, tags: ReadonlyMap<DocumentId, readonly string[]>): Promise<number> {
  const found = await table
    .query()
    .where(anyOf('document_id', [...tags.keys()]))
    .select([SLOT_COLUMN, 'document_id'])
    .toArrow();
  if (found.numRows === 0) return 0;
  const documents = Array.from(column(found, 'document_id'), String);
  const rows = Array.from(column(found, SLOT_COLUMN), String).map((slot, i) => ({
    slot,
    tags: tags.get(documents[i] ?? '') ?? [],
  }));
  await table.mergeInsert(SLOT_COLUMN).whenMatchedUpdateAll().execute(tagTable(rows));
  return rows.length;
}

/** One column of what a query finds. */
async function texts(query: Query, name: string): Promise<string[]> {
  const found = await query.select([name]).toArrow();
  if (found.numRows === 0) return [];
  return Array.from(column(found, name), String);
}

/** Wrong rows are a fault of the caller's code, found before anything is written. */
function checkRows(documentIds: readonly DocumentId[], rows: readonly ChunkRow[]): void {
  const documents = new Set(documentIds);
  const slots = new Set<string>();
  for (const row of rows) {
    if (!documents.has(row.documentId)) throw new Error(`chunk ${row.chunkId} is of no document named`);
    const slot = slotOf(row);
    if (slots.has(slot)) throw new Error(`chunk ${row.ordinal} of document ${row.documentId} comes twice`);
    slots.add(slot);
  }
}

function checkDimensions(open: OpenTable, vector: Float32Array): void {
  if (vector.length === open.dimensions) return;
  throw new SekishoError('conflict', {
    values: { problem: `a vector has ${vector.length} dimensions, the index ${open.dimensions}` },
  });
}

function limitOf(search: IndexSearch): number {
  return Math.max(1, Math.min(MOST_HITS, Math.trunc(search.limit)));
}

function matchesNothing(search: IndexSearch): boolean {
  return search.limit < 1;
}
