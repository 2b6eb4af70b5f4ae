import type { Database, SqlValue, Statement } from '../ports/database.ts';
import type { KeyId, TenantId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import type { Micros } from '../spec/money.ts';

/** What a group of calls used; `costMicros` leaves out calls of unpriced models, which `unpriced` counts. */
export interface UsageRow {
  group: string;
  requests: number;
  inputTokens: number;
  outputTokens: number;
  costMicros: Micros;
  unpriced: number;
}

export const USAGE_GROUPS = { key: 'key_id', route: 'route', target: 'target', user: 'end_user' } as const;

export interface Ledger {
  /** Resolves when the entry is written; entries of one turn of the event loop share a transaction. */
  append(entry: LedgerEntry): Promise<void>;
  /** Money spent by a key since a time. */
  spentMicros(keyId: KeyId, sinceMs: number): Promise<Micros>;
  /** Usage of a tenant in [fromMs, toMs), grouped; at most 1,000 groups, the dearest first. */
  usage(query: {
    tenantId: TenantId;
    by: keyof typeof USAGE_GROUPS;
    fromMs: number;
    toMs: number;
    keyId?: KeyId;
  }): Promise<UsageRow[]>;
}

const COLUMNS = [
  'id',
  'request_id',
  'tenant_id',
  'key_id',
  'end_user',
  'at_ms',
  'operation',
  'route',
  'target',
  'wire',
  'upstream_model',
  'input_tokens',
  'output_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'usage_basis',
  'cost_micros',
  'outcome',
  'error_code',
  'attempts',
  'streamed',
  'duration_ms',
  'first_byte_ms',
];
const ROW = `(${COLUMNS.map(() => '?').join(', ')})`;
/** Rows per statement: a power of two, so that few statements are prepared, below what a statement may bind. */
const ROWS = [16, 4, 1];

/** The append-only record of usage and cost, over any database. */
export function createLedger(database: Database): Ledger {
  let group: { entries: LedgerEntry[]; written: Promise<void> } | undefined;

  return {
    append: (entry) => {
      if (group === undefined) {
        const entries: LedgerEntry[] = [];
        const written = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
          group = undefined;
          return database.batch(inserts(entries));
        });
        group = { entries, written };
      }
      group.entries.push(entry);
      return group.written;
    },

    spentMicros: async (keyId, sinceMs) => {
      const rows = await database.all<{ spent: number | null }>(
        'SELECT SUM(cost_micros) AS spent FROM ledger WHERE key_id = ? AND at_ms >= ?',
        [keyId, sinceMs],
      );
      return Number(rows[0]?.spent ?? 0);
    },

    usage: ({ tenantId, by, fromMs, toMs, keyId }) =>
      database.all<UsageRow>(
        `SELECT COALESCE(${USAGE_GROUPS[by]}, '') AS "group", COUNT(*) AS requests,
           SUM(input_tokens) AS "inputTokens", SUM(output_tokens) AS "outputTokens",
           COALESCE(SUM(cost_micros), 0) AS "costMicros",
           SUM(CASE WHEN cost_micros IS NULL THEN 1 ELSE 0 END) AS unpriced
         FROM ledger WHERE tenant_id = ? AND at_ms >= ? AND at_ms < ? ${keyId === undefined ? '' : 'AND key_id = ?'}
         GROUP BY ${USAGE_GROUPS[by]} ORDER BY 5 DESC, 2 DESC LIMIT 1000`,
        keyId === undefined ? [tenantId, fromMs, toMs] : [tenantId, fromMs, toMs, keyId],
      ),
  };
}

/** The entries as few statements, of a handful of shapes that stay prepared. */
function inserts(entries: readonly LedgerEntry[]): Statement[] {
  const statements: Statement[] = [];
  for (let from = 0; from < entries.length;) {
    const rows = ROWS.find((size) => size <= entries.length - from) ?? 1;
    const values = Array.from({ length: rows }, () => ROW).join(', ');
    const params = entries.slice(from, from + rows).flatMap(paramsOf);
    statements.push({ sql: `INSERT INTO ledger (${COLUMNS.join(', ')}) VALUES ${values}`, params });
    from += rows;
  }
  return statements;
}

function paramsOf(entry: LedgerEntry): SqlValue[] {
  const { usage } = entry;
  return [
    entry.id,
    entry.requestId,
    entry.tenantId,
    entry.keyId,
    entry.endUser ?? null,
    entry.atMs,
    entry.operation,
    entry.route,
    entry.target,
    entry.wire,
    entry.upstreamModel,
    usage.inputTokens,
    usage.outputTokens,
    usage.cachedInputTokens,
    usage.cacheWriteTokens,
    usage.reasoningTokens,
    usage.basis,
    entry.costMicros,
    entry.outcome,
    entry.errorCode ?? null,
    entry.attempts,
    entry.streamed ? 1 : 0,
    entry.durationMs,
    entry.firstByteMs ?? null,
  ];
}
