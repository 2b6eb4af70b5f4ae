import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import type { IndexRef } from '../ports/chunk-index.ts';
import type { Database } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import type { CollectionName, TenantId } from '../spec/ids.ts';

/** A named corpus of one tenant. */
export interface Collection {
  tenantId: TenantId;
  name: CollectionName;
  version: number;
  /** The model that makes its vectors; questions are embedded with the same. */
  embeddingRoute: string;
  /** What its index was made with: model, tokeniser and chunker. Nothing made otherwise is mixed in. */
  fingerprint: string;
  denseWeight: number | null;
  createdMs: number;
}

export interface CollectionCounts extends Collection {
  documents: number;
  failed: number;
  pending: number;
  chunks: number;
}

export interface Collections {
  /** Undefined where there is none, or where it is being deleted. */
  get(tenantId: TenantId, name: CollectionName): Promise<Collection | undefined>;
  /** @throws SekishoError collection_not_found. */
  require(tenantId: TenantId, name: CollectionName): Promise<Collection>;
  /** With counts, by name; at most 1,000. */
  list(tenantId: TenantId): Promise<CollectionCounts[]>;
  /** Makes the collection, or returns the one there is. @throws SekishoError fingerprint_mismatch, invalid_request. */
  ensure(wanted: Pick<Collection, 'tenantId' | 'name' | 'embeddingRoute' | 'fingerprint'>): Promise<Collection>;
  /** Takes the collection out of sight; `forget` follows when its index and documents are gone. */
  markDeleting(tenantId: TenantId, name: CollectionName): Promise<boolean>;
  forget(tenantId: TenantId, name: CollectionName): Promise<void>;
  /** Of all tenants: those whose deletion has not come to its end. */
  unfinishedDeletions(): Promise<IndexRef[]>;
}

interface CollectionRow {
  tenant_id: TenantId;
  name: string;
  version: number;
  embedding_route: string;
  fingerprint: string;
  dense_weight: number | null;
  created_ms: number;
}

const COLUMNS = 'tenant_id, name, version, embedding_route, fingerprint, dense_weight, created_ms';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Collections over any database; reads are remembered, since every question asks for one. */
export function createCollections(options: { database: Database; clock: Clock }): Collections {
  const { database, clock } = options;
  const known = new LRUCache<string, Collection>({ max: 1_000 });
  const keyOf = (tenantId: TenantId, name: CollectionName): string => `${tenantId}\n${name}`;

  async function get(tenantId: TenantId, name: CollectionName): Promise<Collection | undefined> {
    const key = keyOf(tenantId, name);
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const rows = await database.all<CollectionRow>(
      `SELECT ${COLUMNS} FROM collections WHERE tenant_id = ? AND name = ? AND deleting = 0`,
      [tenantId, name],
    );
    if (rows[0] === undefined) return undefined;
    const collection = collectionOf(rows[0]);
    known.set(key, collection);
    return collection;
  }

  return {
    get,
    require: async (tenantId, name) => {
      const collection = await get(tenantId, name);
      if (collection === undefined) throw notFound(name);
      return collection;
    },
    list: async (tenantId) => {
      const rows = await database.all<CollectionRow & Omit<CollectionCounts, keyof Collection>>(
        `SELECT ${COLUMNS.split(', ')
          .map((column) => `c.${column}`)
          .join(', ')},
           COUNT(d.id) AS documents, COALESCE(SUM(d.chunks), 0) AS chunks,
           COALESCE(SUM(CASE WHEN d.state = 'failed' THEN 1 ELSE 0 END), 0) AS failed,
           COALESCE(SUM(CASE WHEN d.pending_hash IS NOT NULL AND d.state <> 'failed' THEN 1 ELSE 0 END), 0) AS pending
         FROM collections c LEFT JOIN documents d ON d.tenant_id = c.tenant_id AND d.collection = c.name
         WHERE c.tenant_id = ? AND c.deleting = 0 GROUP BY c.tenant_id, c.name ORDER BY c.name LIMIT 1000`,
        [tenantId],
      );
      return rows.map((row) => ({
        ...collectionOf(row),
        documents: Number(row.documents),
        failed: Number(row.failed),
        pending: Number(row.pending),
        chunks: Number(row.chunks),
      }));
    },
    ensure: async ({ tenantId, name, embeddingRoute, fingerprint }) => {
      if (!NAME.test(name)) {
        const problem = 'collection_name: letters, digits, ".", "_" and "-", 64 at most, a letter or digit first';
        throw new SekishoError('invalid_request', { values: { problem }, param: 'collection_name' });
      }
      await database.run(
        `INSERT INTO collections (${COLUMNS}, deleting) VALUES (?, ?, 1, ?, ?, NULL, ?, 0)
         ON CONFLICT (tenant_id, name) DO NOTHING`,
        [tenantId, name, embeddingRoute, fingerprint, clock.nowMs()],
      );
      const collection = await get(tenantId, name);
      if (collection === undefined) {
        const problem = `the collection "${name}" is being deleted`;
        throw new SekishoError('conflict', { values: { problem } });
      }
      if (collection.fingerprint !== fingerprint) {
        throw new SekishoError('fingerprint_mismatch', {
          values: { collection: name, have: collection.fingerprint, want: fingerprint },
        });
      }
      return collection;
    },
    markDeleting: async (tenantId, name) => {
      const { changes } = await database.run('UPDATE collections SET deleting = 1 WHERE tenant_id = ? AND name = ?', [
        tenantId,
        name,
      ]);
      known.delete(keyOf(tenantId, name));
      return changes > 0;
    },
    forget: async (tenantId, name) => {
      await database.batch([
        { sql: 'DELETE FROM documents WHERE tenant_id = ? AND collection = ?', params: [tenantId, name] },
        { sql: 'DELETE FROM collections WHERE tenant_id = ? AND name = ?', params: [tenantId, name] },
      ]);
      known.delete(keyOf(tenantId, name));
    },
    unfinishedDeletions: async () =>
      (await database.all<CollectionRow>(`SELECT ${COLUMNS} FROM collections WHERE deleting = 1 LIMIT 10000`)).map(
        (row) => ({ tenantId: row.tenant_id, collection: row.name, version: row.version }),
      ),
  };
}

function notFound(collection: string): SekishoError {
  return new SekishoError('collection_not_found', { values: { collection: collection.slice(0, 100) } });
}

function collectionOf(row: CollectionRow): Collection {
  return {
    tenantId: row.tenant_id,
    name: row.name,
    version: row.version,
    embeddingRoute: row.embedding_route,
    fingerprint: row.fingerprint,
    denseWeight: row.dense_weight,
    createdMs: row.created_ms,
  };
}
