import type { Database, SqlValue } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import type { KeyId, TenantId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import type { Micros } from '../spec/money.ts';
import { entryOf, type LedgerRow } from './ledger-rows.ts';
import type { LedgerWriter } from './ledger-writer.ts';

/** What usage can be grouped by. A day is a calendar day in UTC. */
export const USAGE_GROUPS = {
  tenant: 'tenant_id',
  team: 'team',
  key: 'key_id',
  user: 'end_user',
  route: 'route',
  target: 'target',
  model: 'upstream_model',
  day: 'at_ms / 86400000',
} as const;
export type UsageGroup = keyof typeof USAGE_GROUPS;

/** What a group of calls used; `costMicros` leaves out calls of unpriced models, which `unpriced` counts. */
export interface UsageRow {
  /** The values of the group in the order in which it was asked for; empty where a call has none. */
  group: readonly string[];
  requests: number;
  /** Calls that did not end well: failed, or left by the caller. */
  failed: number;
  cacheHits: number;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  costMicros: Micros;
  unpriced: number;
}

/** Whose spending is asked for; all that is given must hold. */
export interface SpentFilter {
  /** Absent: of all tenants together, as a target's budget counts. */
  tenantId?: TenantId;
  keyId?: KeyId;
  team?: string;
  endUser?: string;
  route?: string;
  target?: string;
}

/** Entries of a tenant, or of one of its keys, in [fromMs, toMs). */
export interface LedgerPeriod {
  tenantId: TenantId;
  keyId?: KeyId;
  fromMs: number;
  toMs: number;
}

export interface Ledger {
  /** Resolves when the entry survives the death of the process; every sum and page that is asked for later has it. */
  append(entry: LedgerEntry): Promise<void>;
  /** Money spent since a time. */
  spentMicros(filter: SpentFilter, sinceMs: number): Promise<Micros>;
  /**
   * Usage of a period by one or two groups; at most 1,000 rows, the dearest first (days in their order).
   * @throws SekishoError invalid_request where the period holds more than 50,000 different groups.
   */
  usage(query: LedgerPeriod & { by: readonly UsageGroup[] }): Promise<UsageRow[]>;
  /** Up to `limit` entries of a period in the order of time, from behind the entry given on. */
  page(query: LedgerPeriod & { after?: Pick<LedgerEntry, 'atMs' | 'id'>; limit: number }): Promise<LedgerEntry[]>;
}

const DAY_MS = 86_400_000;
const MAX_ROWS = 1_000;
const MAX_GROUPS = 50_000;

type Sums = Omit<UsageRow, 'group'>;

/**
 * The append-only record of usage and cost, over any database. Sums and pages hold what this process has appended;
 * what other replicas append is in them within a fraction of a second.
 */
export function createLedger(database: Database, writer: Pick<LedgerWriter, 'append' | 'flush'>): Ledger {
  return {
    append: writer.append,

    spentMicros: async ({ tenantId, ...filter }, sinceMs) => {
      await writer.flush();
      if (tenantId !== undefined) return await spentOf(tenantId, filter, sinceMs);
      let spent = 0;
      for await (const each of tenants()) spent += await spentOf(each, filter, sinceMs);
      return spent;
    },

    usage: async ({ tenantId, by, fromMs, toMs, ...filter }) => {
      await writer.flush();
      const { sql, params } = conditions(filter);
      const columns = by.map((name) => USAGE_GROUPS[name]);
      const selected = columns.map((column, index) => `${column} AS g${index}`).join(', ');
      const first = await firstMs(tenantId, fromMs);
      const groups = new Map<string, UsageRow>();
      for await (const [dayMs, endMs] of days(first, Math.min(toMs, (await lastMs(tenantId)) + 1))) {
        const rows = await database.all<Sums & { g0: SqlValue; g1?: SqlValue }>(
          `SELECT ${selected}, COUNT(*) AS requests,
             SUM(CASE WHEN outcome = 'ok' THEN 0 ELSE 1 END) AS failed,
             SUM(CASE WHEN cache = 'hit' THEN 1 ELSE 0 END) AS "cacheHits",
             SUM(input_tokens) AS "inputTokens", SUM(cached_input_tokens) AS "cachedInputTokens",
             SUM(output_tokens) AS "outputTokens", SUM(reasoning_tokens) AS "reasoningTokens",
             COALESCE(SUM(cost_micros), 0) AS "costMicros",
             SUM(CASE WHEN cost_micros IS NULL THEN 1 ELSE 0 END) AS unpriced
           FROM ledger WHERE tenant_id = ? AND at_ms >= ? AND at_ms < ?${sql}
           GROUP BY ${columns.join(', ')}`,
          [tenantId, dayMs, endMs, ...params],
        );
        for (const { g0, g1, ...sums } of rows) {
          const values = by.map((name, index) => shownValue(name, index === 0 ? g0 : (g1 ?? null)));
          addUp(groups, values, sums);
        }
      }
      const sorted = [...groups.values()].sort(
        by.includes('day')
          ? (a, b) => compare(a.group[by.indexOf('day')], b.group[by.indexOf('day')]) || b.costMicros - a.costMicros
          : (a, b) => b.costMicros - a.costMicros || b.requests - a.requests,
      );
      return sorted.slice(0, MAX_ROWS);
    },

    page: async ({ tenantId, fromMs, toMs, after, limit, ...filter }) => {
      await writer.flush();
      const { sql, params } = conditions(filter);
      const rows = await database.all<LedgerRow>(
        `SELECT * FROM ledger WHERE tenant_id = ? AND at_ms >= ? AND at_ms < ?
           ${after === undefined ? '' : 'AND (at_ms > ? OR id > ?)'}${sql}
         ORDER BY at_ms, id LIMIT ?`,
        [
          tenantId,
          after?.atMs ?? fromMs,
          toMs,
          ...(after === undefined ? [] : [after.atMs, after.id]),
          ...params,
          limit,
        ],
      );
      return rows.map(entryOf);
    },
  };

  async function spentOf(tenantId: TenantId, filter: Omit<SpentFilter, 'tenantId'>, sinceMs: number): Promise<Micros> {
    const { sql, params } = conditions(filter);
    const first = await firstMs(tenantId, sinceMs);
    const last = await lastMs(tenantId);
    let spent = 0;
    for await (const [fromMs, endMs] of days(first, last + 1)) {
      // What was written since the sum began is in its last piece.
      const toMs = endMs > last ? Number.MAX_SAFE_INTEGER : endMs;
      const rows = await database.all<{ spent: number | null }>(
        `SELECT SUM(cost_micros) AS spent FROM ledger WHERE tenant_id = ? AND at_ms >= ? AND at_ms < ?${sql}`,
        [tenantId, fromMs, toMs, ...params],
      );
      spent += Number(rows[0]?.spent ?? 0);
    }
    return spent;
  }

  /** Every tenant of the ledger, one look into the index each: DISTINCT would read all of it. */
  async function* tenants(): AsyncGenerator<TenantId> {
    for (let after = ''; ;) {
      const sql = 'SELECT tenant_id FROM ledger WHERE tenant_id > ? ORDER BY tenant_id LIMIT 1';
      const [row] = await database.all<{ tenant_id: TenantId }>(sql, [after]);
      if (row === undefined) return;
      after = row.tenant_id;
      yield row.tenant_id;
    }
  }

  /** The time of the first entry since a time: empty days before it are not asked for. */
  async function firstMs(tenantId: TenantId, sinceMs: number): Promise<number> {
    const rows = await database.all<{ at_ms: number }>(
      'SELECT at_ms FROM ledger WHERE tenant_id = ? AND at_ms >= ? ORDER BY at_ms LIMIT 1',
      [tenantId, sinceMs],
    );
    return Number(rows[0]?.at_ms ?? Number.MAX_SAFE_INTEGER);
  }

  async function lastMs(tenantId: TenantId): Promise<number> {
    const rows = await database.all<{ at_ms: number }>(
      'SELECT at_ms FROM ledger WHERE tenant_id = ? ORDER BY at_ms DESC LIMIT 1',
      [tenantId],
    );
    return Number(rows[0]?.at_ms ?? 0);
  }
}

/** A period day by day, with a turn of the event loop between: a long sum must not hold up calls. */
async function* days(fromMs: number, toMs: number): AsyncGenerator<readonly [number, number]> {
  for (let startMs = fromMs; startMs < toMs;) {
    const endMs = Math.min(toMs, (Math.floor(startMs / DAY_MS) + 1) * DAY_MS);
    yield [startMs, endMs];
    startMs = endMs;
    if (startMs < toMs) await new Promise((resolve) => setImmediate(resolve));
  }
}

const FILTERS = { keyId: 'key_id', team: 'team', endUser: 'end_user', route: 'route', target: 'target' } as const;

/** What is given of a filter, as SQL to hang on. */
function conditions(filter: Omit<SpentFilter, 'tenantId'>): { sql: string; params: string[] } {
  let sql = '';
  const params: string[] = [];
  for (const name of ['keyId', 'team', 'endUser', 'route', 'target'] as const) {
    const value = filter[name];
    if (value === undefined) continue;
    sql += ` AND ${FILTERS[name]} = ?`;
    params.push(value);
  }
  return { sql, params };
}

function shownValue(name: UsageGroup, value: SqlValue): string {
  if (value === null || value instanceof Uint8Array) return '';
  return name === 'day' ? new Date(Number(value) * DAY_MS).toISOString().slice(0, 10) : String(value);
}

function addUp(groups: Map<string, UsageRow>, group: readonly string[], sums: Sums): void {
  const name = JSON.stringify(group);
  const known = groups.get(name);
  if (known === undefined) {
    if (groups.size >= MAX_GROUPS) {
      const problem = `the period holds more than ${MAX_GROUPS} groups; ask for a shorter one`;
      throw new SekishoError('invalid_request', { values: { problem }, param: 'from' });
    }
    const row: UsageRow = { ...NOTHING, group };
    add(row, sums);
    groups.set(name, row);
    return;
  }
  add(known, sums);
}

const NOTHING: Sums = {
  requests: 0,
  failed: 0,
  cacheHits: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costMicros: 0,
  unpriced: 0,
};
const SUMMED = Object.keys(NOTHING) as (keyof Sums)[];

/** Databases may give sums as text where they outgrow an integer. */
function add(row: UsageRow, sums: Sums): void {
  for (const name of SUMMED) row[name] += Number(sums[name]);
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
