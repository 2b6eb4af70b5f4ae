import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import type { IndexRef } from '../ports/chunk-index.ts';
import type { Database, Statement } from '../ports/database.ts';
import { defaultCollectionSettings, type CollectionSettings } from '../spec/collection.ts';
import { SekishoError } from '../spec/errors.ts';
import type { CollectionName, TenantId } from '../spec/ids.ts';
import { storedSettings } from './collection-settings.ts';

/** A named corpus of one tenant. */
export interface Collection {
  tenantId: TenantId;
  name: CollectionName;
  /** What its documents and its indexes are filed under; it stays when the collection is renamed. */
  id: string;
  /** Of the index that is searched. */
  version: number;
  /** The model that makes its vectors; questions are embedded with the same. Always `settings.index.embeddingRoute`. */
  embeddingRoute: string;
  /** What its index was made with: model, tokeniser and chunker. Nothing made otherwise is mixed in. */
  fingerprint: string;
  /** Always `settings.retrieval.denseWeight`. */
  denseWeight: number | null;
  /** What was chosen for it. `settings.index` is what the live index was made with. */
  settings: CollectionSettings;
  /** Counts the changes of the settings. */
  settingsRevision: number;
  createdMs: number;
}

export interface CollectionCounts extends Collection {
  documents: number;
  failed: number;
  pending: number;
  chunks: number;
}

export type NewCollection = Pick<Collection, 'tenantId' | 'name' | 'settings' | 'fingerprint'>;

export interface Collections {
  /** Undefined where there is none, or where it is being deleted. */
  get(tenantId: TenantId, name: CollectionName): Promise<Collection | undefined>;
  /** @throws SekishoError collection_not_found. */
  require(tenantId: TenantId, name: CollectionName): Promise<Collection>;
  /** With counts, by name; at most 1,000. */
  list(tenantId: TenantId): Promise<CollectionCounts[]>;
  /** Makes the collection, or returns the one there is. @throws SekishoError fingerprint_mismatch, invalid_request. */
  ensure(wanted: Pick<Collection, 'tenantId' | 'name' | 'embeddingRoute' | 'fingerprint'>): Promise<Collection>;
  /** @throws SekishoError conflict where there is one of the name, invalid_request. */
  create(wanted: NewCollection): Promise<Collection>;
  /** The same, out of sight until `show`; what is never shown is taken away at the next start. */
  createHidden(wanted: NewCollection): Promise<void>;
  show(tenantId: TenantId, name: CollectionName): Promise<Collection>;
  /**
   * Writes settings for searching and answering; `settings.index` is left to the index that is made of it.
   * @throws SekishoError conflict where they have been changed since the revision given.
   */
  changeSettings(collection: Collection, settings: CollectionSettings): Promise<Collection>;
  /**
   * Gives it another name: documents, indexes and their versions stay where they are. `statements` go into the same
   * transaction. @throws SekishoError conflict where the name is taken, invalid_request.
   */
  rename(collection: Collection, name: CollectionName, statements: readonly Statement[]): Promise<void>;
  /** Takes the collection out of sight; `forget` follows when its indexes and documents are gone. */
  markDeleting(tenantId: TenantId, name: CollectionName): Promise<boolean>;
  forget(tenantId: TenantId, name: CollectionName): Promise<void>;
  /** Of all tenants: those whose deletion has not come to its end. */
  unfinishedDeletions(): Promise<Collection[]>;
  /** Of all tenants, those that are not being deleted. */
  everyCollection(): AsyncGenerator<Collection>;
  /** What the collection of the name is filed under, also where it is being deleted. */
  idOf(tenantId: TenantId, name: CollectionName): Promise<string | undefined>;
  /** Every index of the collection: the live one, those beside it, those that are being dropped. */
  indexRefs(collection: Collection): Promise<IndexRef[]>;
  /** The collection as one of its other indexes is to be searched; undefined where there is no such version. */
  atVersion(collection: Collection, version: number): Promise<Collection | undefined>;
  /** Forgets what is remembered of one: it was changed from elsewhere. */
  refresh(tenantId: TenantId, name: CollectionName): void;
}

interface CollectionRow {
  tenant_id: TenantId;
  name: string;
  id: string | null;
  version: number;
  embedding_route: string;
  fingerprint: string;
  dense_weight: number | null;
  settings: string | null;
  index_settings: string | null;
  settings_revision: number | null;
  created_ms: number;
}

const COLUMNS = [
  'tenant_id',
  'name',
  'id',
  'version',
  'embedding_route',
  'fingerprint',
  'dense_weight',
  'settings',
  'index_settings',
  'settings_revision',
  'created_ms',
];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ONE = 'tenant_id = ? AND name = ?';
const PAGE = 1_000;
/** How long what another process has changed may stay unseen. */
const REMEMBERED_MS = 1_000;

/** The index of a collection that is searched, or the one of another version. */
export function indexRefOf(collection: Pick<Collection, 'tenantId' | 'id' | 'version'>, version?: number): IndexRef {
  return { tenantId: collection.tenantId, collection: collection.id, version: version ?? collection.version };
}

/** Collections over any database; reads are remembered for a second, since every question asks for one. */
export function createCollections(options: { database: Database; clock: Clock }): Collections {
  const { database, clock } = options;
  const known = new LRUCache<string, Collection>({
    max: 1_000,
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() + 1 },
  });
  const keyOf = (tenantId: TenantId, name: CollectionName): string => `${tenantId}\n${name}`;

  async function rows(where: string, params: readonly (string | number)[], limit = PAGE): Promise<Collection[]> {
    const sql = `SELECT ${COLUMNS.join(', ')} FROM collections WHERE ${where} LIMIT ${limit}`;
    return (await database.all<CollectionRow>(sql, params)).map(collectionOf);
  }

  async function get(tenantId: TenantId, name: CollectionName): Promise<Collection | undefined> {
    const key = keyOf(tenantId, name);
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const [collection] = await rows(`${ONE} AND deleting = 0`, [tenantId, name]);
    if (collection !== undefined) known.set(key, collection);
    return collection;
  }

  async function require(tenantId: TenantId, name: CollectionName): Promise<Collection> {
    const collection = await get(tenantId, name);
    if (collection === undefined) throw notFound(name);
    return collection;
  }

  /** Makes the collection where there is none of the name. @returns whether it did. */
  async function insert(wanted: NewCollection, stage: 'ready' | 'hidden'): Promise<boolean> {
    const { tenantId, name, fingerprint } = wanted;
    const { index, ...settings } = wanted.settings;
    judgeName(name);
    const { changes } = await database.run(
      // A renamed collection may still be filed under this name; then a fresh id is made.
      `INSERT INTO collections (${COLUMNS.join(', ')}, deleting)
       VALUES (?, ?, (SELECT CASE WHEN EXISTS (
           SELECT 1 FROM collections WHERE tenant_id = ? AND COALESCE(id, name) = ?
         ) THEN ? ELSE ? END), 1, ?, ?, ?, ?, ?, 0, ?, ?)
       ON CONFLICT (tenant_id, name) DO NOTHING`,
      [
        tenantId,
        name,
        tenantId,
        name,
        `${name}~${crypto.randomUUID().slice(0, 13)}`,
        name,
        index.embeddingRoute,
        fingerprint,
        settings.retrieval.denseWeight,
        JSON.stringify(settings),
        JSON.stringify(index),
        clock.nowMs(),
        stage === 'hidden' ? 1 : 0,
      ],
    );
    known.delete(keyOf(tenantId, name));
    return changes > 0;
  }

  return {
    get,
    require,
    list: async (tenantId) => {
      const found = await database.all<CollectionRow & Omit<CollectionCounts, keyof Collection>>(
        `SELECT ${COLUMNS.map((column) => `c.${column}`).join(', ')},
           COUNT(d.id) AS documents, COALESCE(SUM(x.chunks), 0) AS chunks,
           COALESCE(SUM(CASE WHEN d.state = 'failed' THEN 1 ELSE 0 END), 0) AS failed,
           COALESCE(SUM(CASE WHEN d.pending_hash IS NOT NULL AND d.state <> 'failed' THEN 1 ELSE 0 END), 0) AS pending
         FROM collections c LEFT JOIN documents d ON d.tenant_id = c.tenant_id AND d.collection = COALESCE(c.id, c.name)
         LEFT JOIN index_documents x ON x.tenant_id = d.tenant_id AND x.collection = d.collection
           AND x.version = c.version AND x.document_id = d.id
         WHERE c.tenant_id = ? AND c.deleting = 0 GROUP BY c.tenant_id, c.name ORDER BY c.name LIMIT 1000`,
        [tenantId],
      );
      return found.map((row) => ({
        ...collectionOf(row),
        documents: Number(row.documents),
        failed: Number(row.failed),
        pending: Number(row.pending),
        chunks: Number(row.chunks),
      }));
    },
    ensure: async ({ tenantId, name, embeddingRoute, fingerprint }) => {
      if ((await get(tenantId, name)) === undefined) {
        await insert({ tenantId, name, fingerprint, settings: defaultCollectionSettings(embeddingRoute) }, 'ready');
      }
      const collection = await get(tenantId, name);
      if (collection === undefined) throw conflict(`the collection "${name}" is being deleted`);
      if (collection.fingerprint !== fingerprint) {
        throw new SekishoError('fingerprint_mismatch', {
          values: { collection: name, have: collection.fingerprint, want: fingerprint },
        });
      }
      return collection;
    },
    create: async (wanted) => {
      if (!(await insert(wanted, 'ready'))) throw taken(wanted.name);
      return require(wanted.tenantId, wanted.name);
    },
    createHidden: async (wanted) => {
      if (!(await insert(wanted, 'hidden'))) throw taken(wanted.name);
    },
    show: async (tenantId, name) => {
      await database.run(`UPDATE collections SET deleting = 0 WHERE ${ONE}`, [tenantId, name]);
      return require(tenantId, name);
    },
    changeSettings: async ({ tenantId, name, settingsRevision }, { retrieval, answer }) => {
      const { changes } = await database.run(
        `UPDATE collections SET settings = ?, settings_revision = ?, dense_weight = ?
         WHERE ${ONE} AND COALESCE(settings_revision, 0) = ? AND deleting = 0`,
        [
          JSON.stringify({ retrieval, answer }),
          settingsRevision + 1,
          retrieval.denseWeight,
          tenantId,
          name,
          settingsRevision,
        ],
      );
      known.delete(keyOf(tenantId, name));
      if (changes === 0) throw conflict('the settings have been changed meanwhile; read them and send yours again');
      return require(tenantId, name);
    },
    rename: async ({ tenantId, name: from, id }, name, statements) => {
      judgeName(name);
      const [other] = await rows(ONE, [tenantId, name], 1);
      if (other !== undefined) throw taken(name);
      await database.batch([
        { sql: `UPDATE collections SET name = ?, id = ? WHERE ${ONE}`, params: [name, id, tenantId, from] },
        ...statements,
      ]);
      known.delete(keyOf(tenantId, from));
      known.delete(keyOf(tenantId, name));
    },
    markDeleting: async (tenantId, name) => {
      const { changes } = await database.run(`UPDATE collections SET deleting = 1 WHERE ${ONE}`, [tenantId, name]);
      known.delete(keyOf(tenantId, name));
      return changes > 0;
    },
    forget: async (tenantId, name) => {
      const [collection] = await rows(ONE, [tenantId, name], 1);
      const filed = [tenantId, collection?.id ?? name];
      await database.batch([
        { sql: 'DELETE FROM documents WHERE tenant_id = ? AND collection = ?', params: filed },
        { sql: 'DELETE FROM index_documents WHERE tenant_id = ? AND collection = ?', params: filed },
        { sql: 'DELETE FROM index_versions WHERE tenant_id = ? AND collection = ?', params: filed },
        { sql: 'DELETE FROM superseded_documents WHERE tenant_id = ? AND collection = ?', params: filed },
        { sql: `DELETE FROM collections WHERE ${ONE}`, params: [tenantId, name] },
      ]);
      known.delete(keyOf(tenantId, name));
    },
    unfinishedDeletions: () => rows('deleting = 1', [], 10_000),
    async *everyCollection() {
      for (let last: Collection | undefined; ;) {
        const page: Collection[] =
          last === undefined
            ? await rows('deleting = 0 ORDER BY tenant_id, name', [])
            : await rows('deleting = 0 AND (tenant_id > ? OR (tenant_id = ? AND name > ?)) ORDER BY tenant_id, name', [
                last.tenantId,
                last.tenantId,
                last.name,
              ]);
        yield* page;
        last = page.at(-1);
        if (page.length < PAGE) return;
      }
    },
    idOf: async (tenantId, name) => (known.get(keyOf(tenantId, name)) ?? (await rows(ONE, [tenantId, name], 1))[0])?.id,
    indexRefs: async (collection) => {
      const beside = await database.all<{ version: number }>(
        'SELECT version FROM index_versions WHERE tenant_id = ? AND collection = ?',
        [collection.tenantId, collection.id],
      );
      return [collection, ...beside].map(({ version }) => indexRefOf(collection, version));
    },
    atVersion: async (collection, version) => {
      if (version === collection.version) return collection;
      const [row] = await database.all<{ settings: string; fingerprint: string }>(
        `SELECT settings, fingerprint FROM index_versions
         WHERE tenant_id = ? AND collection = ? AND version = ? AND state <> 'dropping'`,
        [collection.tenantId, collection.id, version],
      );
      if (row === undefined) return undefined;
      const { index } = storedSettings({ settings: null, index: row.settings }, collection.embeddingRoute);
      return {
        ...collection,
        version,
        fingerprint: row.fingerprint,
        embeddingRoute: index.embeddingRoute,
        settings: { ...collection.settings, index },
      };
    },
    refresh: (tenantId, name) => void known.delete(keyOf(tenantId, name)),
  };
}

function judgeName(name: string): void {
  if (NAME.test(name)) return;
  const problem = 'collection_name: letters, digits, ".", "_" and "-", 64 at most, a letter or digit first';
  throw new SekishoError('invalid_request', { values: { problem }, param: 'collection_name' });
}

function conflict(problem: string): SekishoError {
  return new SekishoError('conflict', { values: { problem } });
}

function taken(name: string): SekishoError {
  return conflict(`there is a collection "${name}" already`);
}

function notFound(collection: string): SekishoError {
  return new SekishoError('collection_not_found', { values: { collection: collection.slice(0, 100) } });
}

function collectionOf(row: CollectionRow): Collection {
  const stored = storedSettings({ settings: row.settings, index: row.index_settings }, row.embedding_route);
  const settings: CollectionSettings = {
    ...stored,
    // A weight that was set before there were settings.
    retrieval: { ...stored.retrieval, denseWeight: stored.retrieval.denseWeight ?? row.dense_weight },
    index: { ...stored.index, embeddingRoute: row.embedding_route },
  };
  return {
    tenantId: row.tenant_id,
    name: row.name,
    id: row.id ?? row.name,
    version: row.version,
    embeddingRoute: row.embedding_route,
    fingerprint: row.fingerprint,
    denseWeight: settings.retrieval.denseWeight,
    settings,
    settingsRevision: Number(row.settings_revision ?? 0),
    createdMs: row.created_ms,
  };
}
