import type { Clock } from '../lib/clock.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Database } from '../ports/database.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import type { CollectionName, DocumentId, TenantId } from '../spec/ids.ts';
import { accessJson, accessOf } from './stored-access.ts';
import { storedHeadings, storedObject } from './stored-json.ts';
import type { LiveSpan, SpanRef } from './retrieve/retrieve.ts';

/** A heading of a document: where it stands and how deep. */
export interface Heading {
  level: number;
  start: number;
  text: string;
}

/** A version of a document that has been accepted and is not yet in the index. */
export interface PendingDocument {
  id: DocumentId;
  title: string;
  text: string;
  metadata: JsonObject;
  headings: Heading[];
  /** Who may find it; null: everybody who may use the collection. */
  access: DocumentAccess | null;
  /** sha-256 in hex over text, title, metadata and, where it was told, access. */
  hash: string;
}

/** A version that is live. Headings are null where it was stored before they were kept. */
export type LiveDocument = Omit<PendingDocument, 'headings'> & { headings: Heading[] | null };

/** What is shown of a document. */
export interface DocumentRecord {
  id: DocumentId;
  title: string;
  state: 'pending' | 'ready' | 'failed' | 'deleting';
  failure: string | null;
  metadata: JsonObject;
  access: DocumentAccess | null;
  chunks: number;
  characters: number;
  updatedMs: number;
}

/** Where documents belong. */
export interface Place {
  tenantId: TenantId;
  collection: CollectionName;
}

export interface Documents {
  /**
   * What is known of the given ids: the hash that answers now (null: none yet), whether something is pending, whether
   * the version is not what its hash says any more, and who may find the latest version.
   */
  known(
    place: Place,
    ids: readonly DocumentId[],
  ): Promise<
    Map<DocumentId, { hash: string | null; unfinished: boolean; amended: boolean; access: DocumentAccess | null }>
  >;
  /** Stores versions to be indexed: from here on they survive the death of the process. */
  accept(place: Place, documents: readonly PendingDocument[]): Promise<void>;
  /** Makes pending versions the live ones, where they still are the pending ones. */
  publish(place: Place, documents: readonly { id: DocumentId; hash: string; chunks: number }[]): Promise<void>;
  /** Notes why a version could not be indexed. It stays pending and is tried again at the next start. */
  fail(place: Place, failures: readonly { id: DocumentId; hash: string; reason: string }[]): Promise<void>;
  /**
   * Versions that were accepted and never published, in order of ids, those after `after`: at most so many
   * documents, and no more text than given (one document may be longer).
   */
  pending(place: Place, page: { after: DocumentId; documents: number; characters: number }): Promise<PendingDocument[]>;
  /** Places with something unfinished: pending versions or deletions. */
  unfinishedPlaces(): Promise<Place[]>;
  markDeleting(place: Place, ids: readonly DocumentId[]): Promise<number>;
  deleting(place: Place): Promise<DocumentId[]>;
  remove(place: Place, ids: readonly DocumentId[]): Promise<void>;
  /** Erases versions that were replaced before the time given, of all collections. @returns how many. */
  forgetSuperseded(beforeMs: number): Promise<number>;
  /** In order of ids; `sees` leaves out documents by who may find them. */
  list(
    place: Place,
    page: { after: DocumentId; limit: number; sees?: (access: DocumentAccess | null) => boolean },
  ): Promise<DocumentRecord[]>;
  get(place: Place, id: DocumentId): Promise<(DocumentRecord & { text: string }) | undefined>;
  /** The live versions of the given ids, as they were accepted; those that have none are left out. */
  live(place: Place, ids: readonly DocumentId[]): Promise<LiveDocument[]>;
  /** Documents by state, and of how many a version waits to be indexed. */
  countsByState(place: Place): Promise<Record<DocumentRecord['state'] | 'waiting', number>>;
  /** Ids of documents with a live version, in order, those after `after`. */
  liveIdsAfter(place: Place, page: { after: DocumentId; limit: number }): Promise<DocumentId[]>;
  /** Ids of documents that have a live version. */
  liveIds(place: Place): Promise<Set<DocumentId>>;
  /** See RetrieveDeps.documents.hydrate. */
  hydrate(tenantId: TenantId, collection: CollectionName, spans: readonly SpanRef[]): Promise<(LiveSpan | undefined)[]>;
}

/** The versions of a document. */
interface VersionsRow {
  id: string;
  title: string | null;
  text: string | null;
  metadata: string | null;
  access: string | null;
  content_hash: string | null;
  pending_title: string | null;
  pending_text: string | null;
  pending_metadata: string | null;
  pending_access: string | null;
  pending_hash: string | null;
}

interface Row extends VersionsRow {
  state: DocumentRecord['state'];
  headings: string | null;
  pending_headings: string | null;
  failure: string | null;
  chunks: number;
  updated_ms: number;
  amended: number | null;
}

/** Documents are filed under the id of their collection, which stays when it is renamed. Parameters: see `at`. */
export const FILED = '(SELECT COALESCE(c.id, c.name) FROM collections c WHERE c.tenant_id = ? AND c.name = ?)';
export const HERE = `tenant_id = ? AND collection = ${FILED}`;
/** The parameters of HERE. */
export const at = ({ tenantId, collection }: Place): [string, string, string] => [tenantId, tenantId, collection];
/** Below what SQLite and Postgres take as parameters of one statement. */
const MAX_IDS = 500;
const IDS_PER_LOOK = 1_000;

/** The identity of a chunk: its document, the version of the document, its place in it. */
export function chunkIdOf(documentId: DocumentId, hash: string, ordinal: number): string {
  return `${versionPrefix(documentId, hash)}${ordinal}`;
}

function versionPrefix(documentId: DocumentId, hash: string): string {
  return `${documentId}@${hash.slice(0, 12)}#`;
}

/** The stored documents of all collections. */
export function createDocuments(options: { database: Database; clock: Clock }): Documents {
  const { database, clock } = options;

  /** Rows of the given ids, in slices that one statement can name. */
  async function rowsOf<R extends object>(
    place: Place,
    ids: readonly DocumentId[],
    columns: string,
    from: { table: string; id: string } = { table: 'documents', id: 'id' },
  ): Promise<R[]> {
    const rows: R[] = [];
    for (let start = 0; start < ids.length; start += MAX_IDS) {
      const slice = ids.slice(start, start + MAX_IDS);
      const marks = slice.map(() => '?').join(', ');
      const sql = `SELECT ${columns} FROM ${from.table} WHERE ${HERE} AND ${from.id} IN (${marks})`;
      rows.push(...(await database.all<R>(sql, [...at(place), ...slice])));
    }
    return rows;
  }

  async function supersededOf(place: Place, ids: readonly DocumentId[]): Promise<VersionsRow[]> {
    const columns = 'document_id AS id, hash AS content_hash, title, text, metadata, access';
    const from = { table: 'superseded_documents', id: 'document_id' };
    const none = {
      pending_title: null,
      pending_text: null,
      pending_metadata: null,
      pending_access: null,
      pending_hash: null,
    };
    return (await rowsOf<VersionsRow>(place, ids, columns, from)).map((row) => ({ ...row, ...none }));
  }

  return {
    known: async (place, ids) => {
      const columns = 'id, state, content_hash, pending_hash, access, pending_access, amended';
      const rows = await rowsOf<Row>(place, ids, columns);
      return new Map(
        rows.map((row) => [
          row.id,
          {
            hash: row.content_hash,
            unfinished: row.pending_hash !== null || row.state !== 'ready',
            amended: row.amended !== null,
            access: accessOf(row.pending_hash === null ? row.access : row.pending_access),
          },
        ]),
      );
    },

    accept: (place, documents) =>
      database.batch(
        documents.map((document) => ({
          sql: `INSERT INTO documents (tenant_id, collection, id, state, pending_title, pending_text, pending_metadata,
              pending_headings, pending_access, pending_hash, chunks, updated_ms)
            VALUES (?, ${FILED}, ?, 'pending', ?, ?, ?, ?, ?, ?, 0, ?)
            ON CONFLICT (tenant_id, collection, id) DO UPDATE SET
              state = CASE WHEN documents.content_hash IS NULL THEN 'pending' ELSE 'ready' END,
              pending_title = excluded.pending_title, pending_text = excluded.pending_text,
              pending_metadata = excluded.pending_metadata, pending_headings = excluded.pending_headings,
              pending_access = excluded.pending_access, pending_hash = excluded.pending_hash, failure = NULL,
              updated_ms = excluded.updated_ms`,
          params: [
            ...at(place),
            document.id,
            document.title,
            document.text,
            JSON.stringify(document.metadata),
            JSON.stringify(document.headings),
            accessJson(document.access),
            document.hash,
            clock.nowMs(),
          ],
        })),
      ),

    publish: (place, documents) =>
      database.batch(
        documents.flatMap(({ id, hash, chunks }) => [
          {
            // Whoever searched before the index had the new version asks for the text of the old one after this: it
            // is kept beside the new one until no such reader is left (see forgetSuperseded).
            sql: `INSERT INTO superseded_documents
                (tenant_id, collection, document_id, hash, title, text, metadata, access, at_ms)
              SELECT tenant_id, collection, id, content_hash, title, text, metadata, access, CAST(? AS BIGINT)
              FROM documents
              WHERE ${HERE} AND id = ? AND pending_hash = ? AND content_hash IS NOT NULL AND state <> 'deleting'
              ON CONFLICT (tenant_id, collection, document_id) DO UPDATE SET hash = excluded.hash,
                title = excluded.title, text = excluded.text, metadata = excluded.metadata,
                access = excluded.access, at_ms = excluded.at_ms`,
            params: [clock.nowMs(), ...at(place), id, hash],
          },
          {
            sql: `UPDATE documents SET state = 'ready', title = pending_title, text = pending_text,
                metadata = pending_metadata, headings = pending_headings, access = pending_access,
                content_hash = pending_hash, pending_access = NULL, amended = NULL, pending_title = NULL, pending_text = NULL, pending_metadata = NULL, pending_headings = NULL,
                pending_hash = NULL, failure = NULL, chunks = ?, updated_ms = ?
              WHERE ${HERE} AND id = ? AND pending_hash = ? AND state <> 'deleting'`,
            params: [chunks, clock.nowMs(), ...at(place), id, hash],
          },
          {
            sql: `INSERT INTO index_documents
                (tenant_id, collection, version, document_id, hash, chunks, characters)
              SELECT d.tenant_id, d.collection, c.version, d.id, d.content_hash, d.chunks, LENGTH(d.text)
              FROM collections c
              JOIN documents d ON d.tenant_id = c.tenant_id AND d.collection = COALESCE(c.id, c.name)
              WHERE c.tenant_id = ? AND c.name = ? AND d.id = ? AND d.content_hash = ? AND d.state <> 'deleting'
              ON CONFLICT (tenant_id, collection, version, document_id)
              DO UPDATE SET hash = excluded.hash, chunks = excluded.chunks, characters = excluded.characters`,
            params: [place.tenantId, place.collection, id, hash],
          },
        ]),
      ),

    fail: (place, failures) =>
      database.batch(
        failures.map(({ id, hash, reason }) => ({
          sql: `UPDATE documents SET state = CASE WHEN content_hash IS NULL THEN 'failed' ELSE 'ready' END, failure = ?
            WHERE ${HERE} AND id = ? AND pending_hash = ?`,
          params: [reason.slice(0, 1_000), ...at(place), id, hash],
        })),
      ),

    pending: async (place, { after, documents, characters }) => {
      const waiting = await database.all<{ id: string; characters: number }>(
        `SELECT id, LENGTH(pending_text) AS characters FROM documents
         WHERE ${HERE} AND pending_hash IS NOT NULL AND state <> 'deleting' AND id > ? ORDER BY id LIMIT ?`,
        [...at(place), after, documents],
      );
      let sum = 0;
      const ids = waiting.filter((row, at) => (sum += Number(row.characters)) <= characters || at === 0);
      const columns =
        'id, pending_title, pending_text, pending_metadata, pending_headings, pending_access, pending_hash';
      const rows = new Map(
        (
          await rowsOf<Row>(
            place,
            ids.map(({ id }) => id),
            columns,
          )
        ).map((row) => [row.id, row]),
      );
      return ids.flatMap(({ id }): PendingDocument[] => {
        const row = rows.get(id);
        if (row?.pending_hash == null) return [];
        return [
          {
            id,
            title: row.pending_title ?? '',
            text: row.pending_text ?? '',
            metadata: storedObject(row.pending_metadata),
            headings: storedHeadings(row.pending_headings),
            access: accessOf(row.pending_access),
            hash: row.pending_hash,
          },
        ];
      });
    },

    unfinishedPlaces: async () =>
      (
        await database.all<{ tenant_id: TenantId; name: string }>(
          `SELECT DISTINCT c.tenant_id, c.name FROM documents d
           JOIN collections c ON c.tenant_id = d.tenant_id AND COALESCE(c.id, c.name) = d.collection
           WHERE d.pending_hash IS NOT NULL OR d.state = 'deleting' LIMIT 10000`,
        )
      ).map((row) => ({ tenantId: row.tenant_id, collection: row.name })),

    markDeleting: async (place, ids) => {
      let marked = 0;
      for (const id of ids) {
        const { changes } = await database.run(`UPDATE documents SET state = 'deleting' WHERE ${HERE} AND id = ?`, [
          ...at(place),
          id,
        ]);
        marked += changes;
      }
      return marked;
    },

    deleting: async (place) =>
      (
        await database.all<{ id: string }>(`SELECT id FROM documents WHERE ${HERE} AND state = 'deleting'`, at(place))
      ).map((row) => row.id),

    remove: (place, ids) =>
      database.batch(
        ids.flatMap((id) => [
          ...['index_documents', 'superseded_documents'].map((table) => ({
            sql: `DELETE FROM ${table} WHERE ${HERE} AND document_id = ?`,
            params: [...at(place), id],
          })),
          {
            sql: `DELETE FROM documents WHERE ${HERE} AND id = ? AND state = 'deleting'`,
            params: [...at(place), id],
          },
        ]),
      ),

    forgetSuperseded: async (beforeMs) =>
      (await database.run('DELETE FROM superseded_documents WHERE at_ms < ?', [beforeMs])).changes,

    list: async (place, { after, limit, sees }) => {
      const columns = `id, state, title, pending_title, metadata, pending_metadata, access, pending_access,
        content_hash, failure, chunks, updated_ms, LENGTH(COALESCE(text, pending_text)) AS characters`;
      const here = `FROM documents WHERE ${HERE} AND state <> 'deleting' AND id > ? ORDER BY id LIMIT ?`;
      const recordsOf = (rows: readonly (Row & { characters: number })[]): DocumentRecord[] =>
        rows.map((row) => recordOf(row, row.characters));
      if (sees === undefined) {
        return recordsOf(await database.all(`SELECT ${columns} ${here}`, [...at(place), after, limit]));
      }
      // Rights are no matter of SQL: ids are looked through until there are enough, without their texts.
      const seen: DocumentId[] = [];
      for (let from: DocumentId | undefined = after; from !== undefined && seen.length < limit;) {
        const page: Row[] = await database.all(`SELECT id, access, pending_access, content_hash ${here}`, [
          ...at(place),
          from,
          IDS_PER_LOOK,
        ]);
        seen.push(
          ...page
            .filter((row) => sees(accessOf(row.content_hash === null ? row.pending_access : row.access)))
            .map(({ id }) => id),
        );
        from = page.length < IDS_PER_LOOK ? undefined : page.at(-1)?.id;
      }
      const ids = seen.slice(0, limit);
      const records = new Map(recordsOf(await rowsOf(place, ids, columns)).map((record) => [record.id, record]));
      return ids.flatMap((id) => records.get(id) ?? []);
    },

    get: async (place, id) => {
      const [row] = await rowsOf<Row>(place, [id], '*');
      if (row === undefined || row.state === 'deleting') return undefined;
      const text = row.text ?? row.pending_text ?? '';
      return { ...recordOf(row, text.length), text };
    },

    live: async (place, ids) => {
      const columns = 'id, state, title, text, metadata, headings, access, content_hash';
      return (await rowsOf<Row>(place, ids, columns)).flatMap((row): LiveDocument[] => {
        if (row.content_hash === null || row.state === 'deleting') return [];
        return [
          {
            id: row.id,
            title: row.title ?? '',
            text: row.text ?? '',
            metadata: storedObject(row.metadata),
            headings: row.headings === null ? null : storedHeadings(row.headings),
            access: accessOf(row.access),
            hash: row.content_hash,
          },
        ];
      });
    },

    countsByState: async (place) => {
      const states = await database.all<{ state: DocumentRecord['state']; n: number }>(
        `SELECT state, COUNT(*) AS n FROM documents WHERE ${HERE} GROUP BY state`,
        at(place),
      );
      const [waiting] = await database.all<{ n: number }>(
        `SELECT COUNT(*) AS n FROM documents WHERE ${HERE} AND pending_hash IS NOT NULL AND state <> 'deleting'`,
        at(place),
      );
      const of = (state: DocumentRecord['state']): number => Number(states.find((row) => row.state === state)?.n ?? 0);
      return {
        pending: of('pending'),
        ready: of('ready'),
        failed: of('failed'),
        deleting: of('deleting'),
        waiting: Number(waiting?.n ?? 0),
      };
    },

    liveIdsAfter: async (place, { after, limit }) =>
      (
        await database.all<{ id: string }>(
          `SELECT id FROM documents WHERE ${HERE} AND content_hash IS NOT NULL AND state <> 'deleting' AND id > ?
           ORDER BY id LIMIT ?`,
          [...at(place), after, limit],
        )
      ).map((row) => row.id),

    liveIds: async (place) =>
      new Set(
        (
          await database.all<{ id: string }>(
            `SELECT id FROM documents WHERE ${HERE} AND content_hash IS NOT NULL AND state <> 'deleting'`,
            at(place),
          )
        ).map((row) => row.id),
      ),

    hydrate: async (tenantId, collection, spans) => {
      const place = { tenantId, collection };
      const columns =
        'id, state, title, text, metadata, access, content_hash, pending_title, pending_text, pending_metadata, ' +
        'pending_access, pending_hash';
      const ids = [...new Set(spans.map((span) => span.documentId))];
      const rows = new Map((await rowsOf<Row>(place, ids, columns)).map((row) => [row.id, row]));
      const visible = (id: DocumentId): boolean => (rows.get(id)?.state ?? 'deleting') !== 'deleting';
      const found = spans.map((span) => {
        const row = rows.get(span.documentId);
        return row !== undefined && visible(row.id) ? spanOf(row, span) : undefined;
      });
      const missed = new Set(
        spans.flatMap(({ documentId }, i) => (found[i] === undefined && visible(documentId) ? documentId : [])),
      );
      if (missed.size === 0) return found;
      // The index was searched before these were replaced: their old text is still there for such readers.
      const old = new Map((await supersededOf(place, [...missed])).map((row) => [row.id, row]));
      return spans.map((span, i) => {
        const row = old.get(span.documentId);
        return found[i] ?? (row && spanOf(row, span));
      });
    },
  };
}

/** The span out of the version that its chunk was made from: the live one, or the one about to be published. */
function spanOf(row: VersionsRow, span: SpanRef): LiveSpan | undefined {
  const madeFrom = (hash: string | null): boolean =>
    hash !== null && span.chunkId.startsWith(versionPrefix(row.id, hash));
  const version = madeFrom(row.content_hash)
    ? { title: row.title, text: row.text, metadata: row.metadata, access: row.access }
    : madeFrom(row.pending_hash)
      ? {
          title: row.pending_title,
          text: row.pending_text,
          metadata: row.pending_metadata,
          access: row.pending_access,
        }
      : undefined;
  if (version?.text == null) return undefined;
  return {
    title: version.title ?? '',
    content: version.text.slice(span.start, span.end),
    metadata: storedObject(version.metadata),
    access: accessOf(version.access),
  };
}

function recordOf(row: Row, characters: number): DocumentRecord {
  return {
    id: row.id,
    title: row.title ?? row.pending_title ?? '',
    state: row.state,
    failure: row.failure,
    metadata: storedObject(row.metadata ?? row.pending_metadata),
    access: accessOf(row.content_hash === null ? row.pending_access : row.access),
    chunks: row.chunks,
    characters,
    updatedMs: row.updated_ms,
  };
}
