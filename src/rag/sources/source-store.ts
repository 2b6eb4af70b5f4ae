import type { Clock } from '../../lib/clock.ts';
import { isJsonObject, parseJson } from '../../lib/json.ts';
import type { Database, SqlValue } from '../../ports/database.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import type { CollectionName, KeyId, TenantId } from '../../spec/ids.ts';
import { REMOVAL_POLICIES, type Source, type SourceId, type SourceRunId } from './source.ts';
import { sourceSettingsSchema } from './source-settings.ts';

/** A source as it is stored: with its sealed credentials, which only the vault opens. */
export interface StoredSource extends Source {
  sealed: string | null;
}

/** Which source of which tenant. */
export interface SourceRef {
  tenantId: TenantId;
  id: SourceId;
}

/** What of a source can be changed. */
export type SourceFields = Pick<
  StoredSource,
  'name' | 'settings' | 'sealed' | 'access' | 'schedule' | 'timeZone' | 'removal' | 'state' | 'nextRunMs'
>;

/** Sources as rows, and the lease by which one run at a time has a source. */
export interface SourceStore {
  insert(source: SourceFields & SourceRef & { collection: CollectionName; createdBy: KeyId }): Promise<void>;
  get(ref: SourceRef): Promise<StoredSource | undefined>;
  /** By id, those after `after`. */
  list(tenantId: TenantId, page: { after: string; limit: number }): Promise<StoredSource[]>;
  count(tenantId: TenantId): Promise<number>;
  /** Writes every field; also forgets what the last listing left. */
  update(ref: SourceRef, fields: SourceFields): Promise<void>;
  /** Stops it from running by itself, with the reason. */
  pause(ref: SourceRef, reason: string): Promise<void>;
  /** Of all tenants: those to be run or deleted now, and those whose run has died. */
  due(limit: number): Promise<SourceRef[]>;
  /** Of all tenants: those that watch their folder. */
  watched(): Promise<StoredSource[]>;
  /** Takes what is due, so that nobody else begins it; it is due again at the time given, should nothing come of it. */
  claim(ref: SourceRef, againMs: number): Promise<boolean>;
  setNextRun(ref: SourceRef, nextRunMs: number | null): Promise<void>;
  /** Gives a source to one run for so long. False where another has it. */
  lease(ref: SourceRef, run: SourceRunId, forMs: number): Promise<boolean>;
  /** Keeps it for another while. False where it is no longer held. */
  renew(ref: SourceRef, run: SourceRunId, forMs: number): Promise<boolean>;
  release(ref: SourceRef, run: SourceRunId): Promise<void>;
  /** Ends every lease, where no other process can hold one: whoever held it is dead. Its source is due at once. */
  freeAll(): Promise<void>;
  memory(ref: SourceRef): Promise<string | undefined>;
  remember(ref: SourceRef, memory: string | null): Promise<void>;
  /** Removes the source with everything that is known of it. */
  remove(ref: SourceRef): Promise<void>;
}

interface Row {
  tenant_id: TenantId;
  id: SourceId;
  collection: string;
  name: string;
  settings: string;
  sealed: string | null;
  access: string | null;
  schedule: string | null;
  time_zone: string;
  removal: string;
  state: Source['state'];
  pause_reason: string | null;
  created_by: KeyId;
  created_ms: number;
  updated_ms: number;
  next_run_ms: number | null;
  lease_until_ms: number;
}

const COLUMNS = `tenant_id, id, collection, name, settings, sealed, access, schedule, time_zone, removal, state,
  pause_reason, created_by, created_ms, updated_ms, next_run_ms, lease_until_ms`;
const HERE = 'tenant_id = ? AND id = ?';
const MAX_WATCHED = 1_000;

/** Sources over any database. */
export function createSourceStore({ database, clock }: { database: Database; clock: Clock }): SourceStore {
  const at = ({ tenantId, id }: SourceRef): SqlValue[] => [tenantId, id];
  const sourceOf = (row: Row): StoredSource => readSource(row, clock.nowMs());

  return {
    insert: async (source) => {
      const now = clock.nowMs();
      await database.run(
        `INSERT INTO sources (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, 0)`,
        [
          ...at(source),
          source.collection,
          source.name,
          JSON.stringify(source.settings),
          source.sealed,
          source.access === null ? null : JSON.stringify(source.access),
          source.schedule,
          source.timeZone,
          source.removal,
          source.state,
          source.createdBy,
          now,
          now,
          source.nextRunMs,
        ],
      );
    },
    get: async (ref) => {
      const [row] = await database.all<Row>(`SELECT ${COLUMNS} FROM sources WHERE ${HERE}`, at(ref));
      return row === undefined ? undefined : sourceOf(row);
    },
    list: async (tenantId, { after, limit }) =>
      (
        await database.all<Row>(
          `SELECT ${COLUMNS} FROM sources WHERE tenant_id = ? AND id > ? AND state <> 'deleting' ORDER BY id LIMIT ?`,
          [tenantId, after, limit],
        )
      ).map(sourceOf),
    count: async (tenantId) => {
      const [row] = await database.all<{ n: number }>('SELECT COUNT(*) AS n FROM sources WHERE tenant_id = ?', [
        tenantId,
      ]);
      return Number(row?.n ?? 0);
    },
    update: async (ref, fields) => {
      await database.run(
        `UPDATE sources SET name = ?, settings = ?, sealed = ?, access = ?, schedule = ?, time_zone = ?, removal = ?,
           state = ?, pause_reason = NULL, memory = NULL, next_run_ms = ?, updated_ms = ? WHERE ${HERE}`,
        [
          fields.name,
          JSON.stringify(fields.settings),
          fields.sealed,
          fields.access === null ? null : JSON.stringify(fields.access),
          fields.schedule,
          fields.timeZone,
          fields.removal,
          fields.state,
          fields.nextRunMs,
          clock.nowMs(),
          ...at(ref),
        ],
      );
    },
    pause: async (ref, reason) => {
      await database.run(
        `UPDATE sources SET state = 'paused', pause_reason = ?, next_run_ms = NULL WHERE ${HERE} AND state = 'active'`,
        [reason, ...at(ref)],
      );
    },
    due: async (limit) => {
      const now = clock.nowMs();
      return database
        .all<Pick<Row, 'tenant_id' | 'id'>>(
          `SELECT tenant_id, id FROM sources WHERE lease_until_ms < ? AND
             (next_run_ms <= ? OR lease_owner IS NOT NULL OR state = 'deleting') ORDER BY next_run_ms LIMIT ?`,
          [now, now, limit],
        )
        .then((rows) => rows.map((row) => ({ tenantId: row.tenant_id, id: row.id })));
    },
    watched: async () =>
      (
        await database.all<Row>(
          `SELECT ${COLUMNS} FROM sources WHERE state = 'active' AND settings LIKE '%"watch":true%' ORDER BY id LIMIT ?`,
          [MAX_WATCHED],
        )
      ).map(sourceOf),
    claim: async (ref, againMs) => {
      const now = clock.nowMs();
      const { changes } = await database.run(
        `UPDATE sources SET lease_owner = NULL, next_run_ms = ? WHERE ${HERE} AND lease_until_ms < ?
           AND (next_run_ms <= ? OR lease_owner IS NOT NULL)`,
        [againMs, ...at(ref), now, now],
      );
      return changes > 0;
    },
    setNextRun: async (ref, nextRunMs) => {
      await database.run(`UPDATE sources SET next_run_ms = ? WHERE ${HERE}`, [nextRunMs, ...at(ref)]);
    },
    lease: async (ref, run, forMs) => {
      const now = clock.nowMs();
      const { changes } = await database.run(
        `UPDATE sources SET lease_owner = ?, lease_until_ms = ? WHERE ${HERE} AND lease_until_ms < ?`,
        [run, now + forMs, ...at(ref), now],
      );
      return changes > 0;
    },
    renew: async (ref, run, forMs) => {
      const { changes } = await database.run(
        `UPDATE sources SET lease_until_ms = ? WHERE ${HERE} AND lease_owner = ? AND state <> 'deleting'`,
        [clock.nowMs() + forMs, ...at(ref), run],
      );
      return changes > 0;
    },
    release: async (ref, run) => {
      await database.run(
        `UPDATE sources SET lease_owner = NULL, lease_until_ms = 0 WHERE ${HERE} AND lease_owner = ?`,
        [...at(ref), run],
      );
    },
    freeAll: async () => {
      await database.run('UPDATE sources SET lease_until_ms = 0 WHERE lease_owner IS NOT NULL');
    },
    memory: async (ref) => {
      const [row] = await database.all<{ memory: string | null }>(`SELECT memory FROM sources WHERE ${HERE}`, at(ref));
      return row?.memory ?? undefined;
    },
    remember: async (ref, memory) => {
      await database.run(`UPDATE sources SET memory = ? WHERE ${HERE}`, [memory, ...at(ref)]);
    },
    remove: (ref) =>
      database.batch([
        ...['source_documents', 'source_items', 'source_runs'].map((table) => ({
          sql: `DELETE FROM ${table} WHERE tenant_id = ? AND source_id = ?`,
          params: at(ref),
        })),
        { sql: `DELETE FROM sources WHERE ${HERE}`, params: at(ref) },
      ]),
  };
}

function readSource(row: Row, nowMs: number): StoredSource {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    collection: row.collection,
    name: row.name,
    settings: sourceSettingsSchema.parse(parseJson(row.settings)),
    sealed: row.sealed,
    hasCredentials: row.sealed !== null,
    access: accessOf(row.access),
    schedule: row.schedule,
    timeZone: row.time_zone,
    removal: REMOVAL_POLICIES.find((policy) => policy === row.removal) ?? 'none',
    state: row.state,
    pauseReason: row.pause_reason,
    running: Number(row.lease_until_ms) >= nowMs,
    createdBy: row.created_by,
    createdMs: Number(row.created_ms),
    updatedMs: Number(row.updated_ms),
    nextRunMs: row.next_run_ms === null ? null : Number(row.next_run_ms),
  };
}

/** What stands there was judged as it came in; what is no object at all opens to nobody. */
function accessOf(text: string | null): DocumentAccess | null {
  if (text === null) return null;
  const value: unknown = parseJson(text);
  return isAccess(value) ? value : { roles: [] };
}

function isAccess(value: unknown): value is DocumentAccess {
  return typeof value === 'object' && value !== null && isJsonObject(value);
}
