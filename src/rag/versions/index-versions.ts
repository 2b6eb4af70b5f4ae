import type { Clock } from '../../lib/clock.ts';
import type { Database, Statement } from '../../ports/database.ts';
import type { CollectionSettings } from '../../spec/collection.ts';
import type { DocumentId, TenantId } from '../../spec/ids.ts';
import { storedSettings } from '../collection-settings.ts';
import type { Collection } from '../collections.ts';

/**
 * building: it is being filled; waiting: it is complete but for what `failure` says, and somebody has to decide;
 * failed: it cannot be filled now; previous: it was live until the last swap; returning: the previous one, being
 * brought up to date to be live again; dropping: it is being taken away.
 */
export type IndexVersionState = 'building' | 'waiting' | 'failed' | 'previous' | 'returning' | 'dropping';

/** An index of a collection beside its live one. */
export interface IndexVersion {
  version: number;
  state: IndexVersionState;
  settings: CollectionSettings['index'];
  fingerprint: string;
  failure: string | null;
  createdMs: number;
}

/** What an index holds. */
export interface IndexHoldings {
  documents: number;
  chunks: number;
  characters: number;
}

/** One text of one document in an index. */
export interface HeldDocument {
  id: DocumentId;
  hash: string;
  chunks: number;
  characters: number;
}

/** Documents whose text in an index is not the live one: `hash` is the live one, `held` what the index has of it. */
export interface Outdated {
  id: DocumentId;
  hash: string;
  held: string | null;
  characters: number;
}

/** The books of the indexes of collections: which there are, and which text of which document each holds. */
export interface IndexVersions {
  /** Beside the live one, oldest first. */
  list(collection: Collection): Promise<IndexVersion[]>;
  find(collection: Collection, version: number): Promise<IndexVersion | undefined>;
  /** Enters a new one, empty, under a number that the collection has never had. */
  begin(
    collection: Collection,
    made: { settings: CollectionSettings['index']; fingerprint: string },
  ): Promise<IndexVersion>;
  mark(collection: Collection, version: number, state: IndexVersionState, failure?: string): Promise<void>;
  /** Compares with the live index, a page at a time. `last` is the id to go on after; undefined at the end. */
  outdated(
    collection: Collection,
    version: number,
    after: DocumentId,
  ): Promise<{ outdated: Outdated[]; last: DocumentId | undefined }>;
  /** Notes what has been put into an index. */
  record(collection: Collection, version: number, documents: readonly HeldDocument[]): Promise<void>;
  held(collection: Collection, version: number): Promise<IndexHoldings>;
  /**
   * Makes the version the live one and the live one the previous one, in one transaction; an older previous one is
   * to be dropped.
   */
  makeLive(collection: Collection, version: IndexVersion): Promise<void>;
  /** Takes a version out of the books, when its index is gone. */
  forget(collection: Collection, version: number): Promise<void>;
  /** Collections with a version in one of the states, of all tenants. */
  places(states: readonly IndexVersionState[]): Promise<{ tenantId: TenantId; collection: string }[]>;
}

interface VersionRow {
  version: number;
  state: IndexVersionState;
  settings: string;
  fingerprint: string;
  failure: string | null;
  created_ms: number;
}

const OF = 'tenant_id = ? AND collection = ?';
const COLUMNS = 'version, state, settings, fingerprint, failure, created_ms';
/** Rows per statement that walks through the books of an index: a few milliseconds. */
const PAGE = 2_000;

export function createIndexVersions({ database, clock }: { database: Database; clock: Clock }): IndexVersions {
  const of = ({ tenantId, id }: Collection): [TenantId, string] => [tenantId, id];

  async function list(collection: Collection): Promise<IndexVersion[]> {
    const sql = `SELECT ${COLUMNS} FROM index_versions WHERE ${OF} ORDER BY version`;
    const rows = await database.all<VersionRow>(sql, of(collection));
    return rows.map((row) => versionOf(row, collection));
  }

  const find = async (collection: Collection, version: number): Promise<IndexVersion | undefined> =>
    (await list(collection)).find((each) => each.version === version);

  return {
    list,
    find,

    begin: async (collection, { settings, fingerprint }) => {
      const [tenantId, id] = of(collection);
      const here = 'tenant_id = ? AND COALESCE(id, name) = ?';
      await database.batch([
        {
          sql: `UPDATE collections SET last_version = COALESCE(last_version, version) + 1 WHERE ${here}`,
          params: [tenantId, id],
        },
        {
          sql: `INSERT INTO index_versions (tenant_id, collection, ${COLUMNS})
            VALUES (?, ?, (SELECT last_version FROM collections WHERE ${here}), 'building', ?, ?, NULL, ?)`,
          params: [tenantId, id, tenantId, id, JSON.stringify(settings), fingerprint, clock.nowMs()],
        },
      ]);
      const made = (await list(collection)).at(-1);
      if (made === undefined) throw new Error('a version that was entered is not there');
      return made;
    },

    mark: async (collection, version, state, failure) => {
      await database.run(`UPDATE index_versions SET state = ?, failure = ? WHERE ${OF} AND version = ?`, [
        state,
        failure?.slice(0, 1_000) ?? null,
        ...of(collection),
        version,
      ]);
    },

    outdated: async (collection, version, after) => {
      const rows = await database.all<{ document_id: string; hash: string; held: string | null; characters: number }>(
        `SELECT live.document_id, live.hash, live.characters, x.hash AS held
         FROM (
           SELECT tenant_id, collection, document_id, hash, characters FROM index_documents
           WHERE ${OF} AND version = ? AND document_id > ? ORDER BY document_id LIMIT ${PAGE}
         ) live
         LEFT JOIN index_documents x ON x.tenant_id = live.tenant_id AND x.collection = live.collection
           AND x.version = ? AND x.document_id = live.document_id
         ORDER BY live.document_id`,
        [...of(collection), collection.version, after, version],
      );
      return {
        outdated: rows.flatMap(({ document_id: id, hash, held, characters }) =>
          held === hash ? [] : [{ id, hash, held, characters: Number(characters) }],
        ),
        last: rows.length < PAGE ? undefined : rows.at(-1)?.document_id,
      };
    },

    record: (collection, version, documents) =>
      database.batch(
        documents.map(({ id, hash, chunks, characters }): Statement => ({
          sql: `INSERT INTO index_documents (tenant_id, collection, version, document_id, hash, chunks, characters)
              VALUES (?, ?, ?, ?, ?, ?, ?)
              ON CONFLICT (tenant_id, collection, version, document_id)
              DO UPDATE SET hash = excluded.hash, chunks = excluded.chunks, characters = excluded.characters`,
          params: [...of(collection), version, id, hash, chunks, characters],
        })),
      ),

    held: async (collection, version) => {
      const [row] = await database.all<Record<keyof IndexHoldings, number | string | null>>(
        `SELECT COUNT(*) AS documents, SUM(chunks) AS chunks, SUM(characters) AS characters
         FROM index_documents WHERE ${OF} AND version = ?`,
        [...of(collection), version],
      );
      return {
        documents: Number(row?.documents ?? 0),
        chunks: Number(row?.chunks ?? 0),
        characters: Number(row?.characters ?? 0),
      };
    },

    makeLive: (collection, { version, settings, fingerprint }) =>
      database.batch([
        {
          sql: `UPDATE index_versions SET state = 'dropping' WHERE ${OF} AND state = 'previous' AND version <> ?`,
          params: [...of(collection), version],
        },
        {
          sql: `INSERT INTO index_versions (tenant_id, collection, ${COLUMNS}) VALUES (?, ?, ?, 'previous', ?, ?, NULL, ?)`,
          params: [
            ...of(collection),
            collection.version,
            JSON.stringify(collection.settings.index),
            collection.fingerprint,
            clock.nowMs(),
          ],
        },
        {
          sql: `UPDATE collections SET version = ?, fingerprint = ?, embedding_route = ?, index_settings = ?,
              settings_revision = COALESCE(settings_revision, 0) + 1
            WHERE tenant_id = ? AND COALESCE(id, name) = ?`,
          params: [version, fingerprint, settings.embeddingRoute, JSON.stringify(settings), ...of(collection)],
        },
        { sql: `DELETE FROM index_versions WHERE ${OF} AND version = ?`, params: [...of(collection), version] },
      ]),

    forget: async (collection, version) => {
      for (;;) {
        const { changes } = await database.run(
          `DELETE FROM index_documents WHERE ${OF} AND version = ? AND document_id IN (
             SELECT document_id FROM index_documents WHERE ${OF} AND version = ? LIMIT ${PAGE})`,
          [...of(collection), version, ...of(collection), version],
        );
        if (changes < PAGE) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await database.run(`DELETE FROM index_versions WHERE ${OF} AND version = ?`, [...of(collection), version]);
    },

    places: async (states) =>
      (
        await database.all<{ tenant_id: TenantId; name: string }>(
          `SELECT DISTINCT c.tenant_id, c.name FROM index_versions v
           JOIN collections c ON c.tenant_id = v.tenant_id AND COALESCE(c.id, c.name) = v.collection
           WHERE c.deleting = 0 AND v.state IN (${states.map(() => '?').join(', ')}) LIMIT 10000`,
          states,
        )
      ).map((row) => ({ tenantId: row.tenant_id, collection: row.name })),
  };
}

function versionOf(row: VersionRow, { embeddingRoute }: Collection): IndexVersion {
  return {
    version: row.version,
    state: row.state,
    settings: storedSettings({ settings: null, index: row.settings }, embeddingRoute).index,
    fingerprint: row.fingerprint,
    failure: row.failure,
    createdMs: Number(row.created_ms),
  };
}
