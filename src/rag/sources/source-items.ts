import type { Clock } from '../../lib/clock.ts';
import type { Database, SqlValue, Statement } from '../../ports/database.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { SourceRunId } from './source.ts';
import type { SourceRef } from './source-store.ts';

/** What is known of an item. The hash is that of the content which is in the collection; null: none is for sure. */
export interface KnownItem {
  key: string;
  stamp: string | null;
  hash: string | null;
  documents: DocumentId[];
}

/** The items of sources and the documents made of them. */
export interface SourceItems {
  known(ref: SourceRef, keys: readonly string[]): Promise<Map<string, KnownItem>>;
  /** Notes that these were found as they are in the collection, with the stamps they now have. */
  keep(ref: SourceRef, run: SourceRunId, items: readonly { key: string; stamp: string | null }[]): Promise<void>;
  /** Notes what is about to be written, so that it is found again whatever happens on the way. */
  begin(
    ref: SourceRef,
    run: SourceRunId,
    items: readonly { key: string; documents: readonly DocumentId[] }[],
  ): Promise<void>;
  /** Notes what was written: only now the hash stands. */
  confirm(ref: SourceRef, items: readonly { key: string; stamp: string | null; hash: string }[]): Promise<void>;
  /** Notes why items could not be taken; they are looked at anew in the next run. */
  fail(ref: SourceRef, run: SourceRunId, items: readonly { key: string; reason: string }[]): Promise<void>;
  /** Keys below a prefix that the run has not seen, at most so many. */
  unseen(ref: SourceRef, run: SourceRunId, page: { prefix: string; limit: number }): Promise<string[]>;
  documentsOf(ref: SourceRef, keys: readonly string[]): Promise<DocumentId[]>;
  forget(ref: SourceRef, keys: readonly string[]): Promise<void>;
  forgetDocuments(ref: SourceRef, documents: readonly DocumentId[]): Promise<void>;
  /** Documents that are in the collection for sure, in order of ids, those after `after`. */
  expected(
    ref: SourceRef,
    page: { after: DocumentId; limit: number },
  ): Promise<{ document: DocumentId; key: string }[]>;
  /** Every document ever noted, in order of ids. */
  documents(ref: SourceRef, limit: number): Promise<DocumentId[]>;
  /** Makes that items are fetched and written again. */
  doubt(ref: SourceRef, keys: readonly string[]): Promise<void>;
  /** How many items there are, and how many of them are not in the collection for sure. */
  counts(ref: SourceRef): Promise<{ items: number; unsettled: number }>;
  /** Notes that the run has found everything as it was. @returns how many. */
  keepAll(ref: SourceRef, run: SourceRunId): Promise<number>;
}

const HERE = 'tenant_id = ? AND source_id = ?';
/** Below what SQLite and Postgres take as parameters of one statement. */
const MAX_KEYS = 400;

/** Items of sources over any database. */
export function createSourceItems({ database, clock }: { database: Database; clock: Clock }): SourceItems {
  const at = ({ tenantId, id }: SourceRef): SqlValue[] => [tenantId, id];

  /** One statement per slice of keys that it can name. */
  async function all<R extends object>(ref: SourceRef, select: string, column: string, keys: readonly string[]) {
    const rows: R[] = [];
    for (const slice of slicesOf(keys)) {
      const marks = slice.map(() => '?').join(', ');
      rows.push(
        ...(await database.all<R>(`${select} WHERE ${HERE} AND ${column} IN (${marks})`, [...at(ref), ...slice])),
      );
    }
    return rows;
  }

  function eachSlice(ref: SourceRef, verb: string, column: string, keys: readonly string[]): Statement[] {
    return slicesOf(keys).map((slice) => ({
      sql: `${verb} WHERE ${HERE} AND ${column} IN (${slice.map(() => '?').join(', ')})`,
      params: [...at(ref), ...slice],
    }));
  }

  return {
    known: async (ref, keys) => {
      const rows = await all<{ item_key: string; stamp: string | null; hash: string | null }>(
        ref,
        'SELECT item_key, stamp, hash FROM source_items',
        'item_key',
        keys,
      );
      const documents = await all<{ item_key: string; document_id: string }>(
        ref,
        'SELECT item_key, document_id FROM source_documents',
        'item_key',
        keys,
      );
      const items = new Map(
        rows.map(({ item_key: key, stamp, hash }): [string, KnownItem] => [key, { key, stamp, hash, documents: [] }]),
      );
      for (const { item_key, document_id } of documents) items.get(item_key)?.documents.push(document_id);
      return items;
    },
    keep: (ref, run, items) =>
      database.batch(
        items.map(({ key, stamp }) => ({
          sql: `UPDATE source_items SET seen_run = ?, stamp = ?, reason = NULL WHERE ${HERE} AND item_key = ?`,
          params: [run, stamp, ...at(ref), key],
        })),
      ),
    begin: (ref, run, items) =>
      database.batch(
        items.flatMap(({ key, documents }) => [
          {
            sql: `INSERT INTO source_items (tenant_id, source_id, item_key, seen_run, updated_ms) VALUES (?, ?, ?, ?, ?)
              ON CONFLICT (tenant_id, source_id, item_key) DO UPDATE SET
                stamp = NULL, hash = NULL, seen_run = excluded.seen_run, updated_ms = excluded.updated_ms`,
            params: [...at(ref), key, run, clock.nowMs()],
          },
          ...documents.map((document) => ({
            sql: `INSERT INTO source_documents (tenant_id, source_id, document_id, item_key) VALUES (?, ?, ?, ?)
              ON CONFLICT (tenant_id, source_id, document_id) DO UPDATE SET item_key = excluded.item_key`,
            params: [...at(ref), document, key],
          })),
        ]),
      ),
    confirm: (ref, items) =>
      database.batch(
        items.map(({ key, stamp, hash }) => ({
          sql: `UPDATE source_items SET stamp = ?, hash = ?, reason = NULL, updated_ms = ? WHERE ${HERE} AND item_key = ?`,
          params: [stamp, hash, clock.nowMs(), ...at(ref), key],
        })),
      ),
    fail: (ref, run, items) =>
      database.batch(
        items.map(({ key, reason }) => ({
          sql: `INSERT INTO source_items (tenant_id, source_id, item_key, reason, seen_run, updated_ms)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, source_id, item_key) DO UPDATE SET
              stamp = NULL, reason = excluded.reason, seen_run = excluded.seen_run`,
          params: [...at(ref), key, reason, run, clock.nowMs()],
        })),
      ),
    unseen: async (ref, run, { prefix, limit }) =>
      (
        await database.all<{ item_key: string }>(
          `SELECT item_key FROM source_items WHERE ${HERE} AND seen_run <> ? AND substr(item_key, 1, length(?)) = ?
           ORDER BY item_key LIMIT ?`,
          [...at(ref), run, prefix, prefix, limit],
        )
      ).map((row) => row.item_key),
    documentsOf: async (ref, keys) =>
      (await all<{ document_id: string }>(ref, 'SELECT document_id FROM source_documents', 'item_key', keys)).map(
        (row) => row.document_id,
      ),
    forget: (ref, keys) =>
      database.batch([
        ...eachSlice(ref, 'DELETE FROM source_documents', 'item_key', keys),
        ...eachSlice(ref, 'DELETE FROM source_items', 'item_key', keys),
      ]),
    forgetDocuments: (ref, documents) =>
      database.batch(eachSlice(ref, 'DELETE FROM source_documents', 'document_id', documents)),
    expected: async (ref, { after, limit }) =>
      (
        await database.all<{ document_id: string; item_key: string }>(
          `SELECT d.document_id, d.item_key FROM source_documents d JOIN source_items i
             ON i.tenant_id = d.tenant_id AND i.source_id = d.source_id AND i.item_key = d.item_key
           WHERE d.tenant_id = ? AND d.source_id = ? AND d.document_id > ? AND i.hash IS NOT NULL
           ORDER BY d.document_id LIMIT ?`,
          [...at(ref), after, limit],
        )
      ).map((row) => ({ document: row.document_id, key: row.item_key })),
    documents: async (ref, limit) =>
      (
        await database.all<{ document_id: string }>(
          `SELECT document_id FROM source_documents WHERE ${HERE} ORDER BY document_id LIMIT ?`,
          [...at(ref), limit],
        )
      ).map((row) => row.document_id),
    doubt: (ref, keys) =>
      database.batch(eachSlice(ref, 'UPDATE source_items SET stamp = NULL, hash = NULL', 'item_key', keys)),
    counts: async (ref) => {
      const [row] = await database.all<{ items: number; unsettled: number | null }>(
        `SELECT COUNT(*) AS items, SUM(CASE WHEN hash IS NULL OR stamp IS NULL THEN 1 ELSE 0 END) AS unsettled
         FROM source_items WHERE ${HERE}`,
        at(ref),
      );
      return { items: Number(row?.items ?? 0), unsettled: Number(row?.unsettled ?? 0) };
    },
    keepAll: async (ref, run) =>
      (await database.run(`UPDATE source_items SET seen_run = ? WHERE ${HERE}`, [run, ...at(ref)])).changes,
  };
}

function slicesOf(keys: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(keys.length / MAX_KEYS) }, (_, place) =>
    keys.slice(place * MAX_KEYS, (place + 1) * MAX_KEYS),
  );
}
