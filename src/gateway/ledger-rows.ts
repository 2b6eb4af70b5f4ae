import type { SqlValue, Statement } from '../ports/database.ts';
import type { KeyId, LedgerId, RequestId, TenantId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import type { Usage } from '../spec/usage.ts';

/** A row of the ledger table. Numbers may come as text where a database keeps them wider than ours. */
export interface LedgerRow {
  id: LedgerId;
  request_id: RequestId;
  tenant_id: TenantId;
  key_id: KeyId;
  end_user: string | null;
  at_ms: number;
  operation: LedgerEntry['operation'];
  route: string;
  target: string;
  wire: string;
  upstream_model: string;
  input_tokens: number;
  output_tokens: number;
  cached_input_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  usage_basis: Usage['basis'];
  cost_micros: number | null;
  outcome: LedgerEntry['outcome'];
  error_code: string | null;
  attempts: number;
  streamed: number;
  duration_ms: number;
  first_byte_ms: number | null;
  team: string | null;
  tags: string | null;
  cache: 'hit' | 'miss' | null;
  trace_id: string | null;
  audio_input_tokens: number | null;
  audio_output_tokens: number | null;
  image_input_tokens: number | null;
  image_output_tokens: number | null;
  long_cache_write_tokens: number | null;
  search_units: number | null;
}

const MAX_TAGS = 20;

/** The columns in the order in which `paramsOf` gives their values. */
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
  'team',
  'tags',
  'cache',
  'trace_id',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_output_tokens',
  'long_cache_write_tokens',
  'search_units',
] as const satisfies readonly (keyof LedgerRow)[];
const ROW = `(${COLUMNS.map(() => '?').join(', ')})`;
/** Statements by the number of rows: few sizes, so that few are prepared, each below what a statement may bind. */
const STATEMENTS = [16, 4, 1].map((rows) => ({
  rows,
  sql: `INSERT INTO ledger (${COLUMNS.join(', ')}) VALUES ${Array.from({ length: rows }, () => ROW).join(', ')}`,
}));

/** The entries as few statements, of a handful of shapes that stay prepared. */
export function insertsOf(entries: readonly LedgerEntry[]): Statement[] {
  const statements: Statement[] = [];
  for (let from = 0; from < entries.length;) {
    for (const { rows, sql } of STATEMENTS) {
      if (rows > entries.length - from) continue;
      const params: SqlValue[] = [];
      for (const entry of entries.slice(from, from + rows)) pushParams(params, entry);
      statements.push({ sql, params });
      from += rows;
      break;
    }
  }
  return statements;
}

function pushParams(params: SqlValue[], entry: LedgerEntry): void {
  const { usage, tags } = entry;
  params.push(
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
    entry.team ?? null,
    tags === undefined || tags.length === 0 ? null : JSON.stringify(tags.slice(0, MAX_TAGS)),
    entry.cache ?? null,
    entry.traceId ?? null,
    usage.audioInputTokens ?? null,
    usage.audioOutputTokens ?? null,
    usage.imageInputTokens ?? null,
    usage.imageOutputTokens ?? null,
    usage.longCacheWriteTokens ?? null,
    usage.searchUnits ?? null,
  );
}

/** The entry that a row was written from. */
export function entryOf(row: LedgerRow): LedgerEntry {
  return {
    id: row.id,
    requestId: row.request_id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    ...(row.team !== null && { team: row.team }),
    ...(row.end_user !== null && { endUser: row.end_user }),
    ...(row.tags !== null && { tags: tagsOf(row.tags) }),
    atMs: Number(row.at_ms),
    operation: row.operation,
    route: row.route,
    target: row.target,
    wire: row.wire,
    upstreamModel: row.upstream_model,
    usage: {
      inputTokens: Number(row.input_tokens),
      outputTokens: Number(row.output_tokens),
      cachedInputTokens: Number(row.cached_input_tokens),
      cacheWriteTokens: Number(row.cache_write_tokens),
      reasoningTokens: Number(row.reasoning_tokens),
      ...(row.audio_input_tokens !== null && { audioInputTokens: Number(row.audio_input_tokens) }),
      ...(row.audio_output_tokens !== null && { audioOutputTokens: Number(row.audio_output_tokens) }),
      ...(row.image_input_tokens !== null && { imageInputTokens: Number(row.image_input_tokens) }),
      ...(row.image_output_tokens !== null && { imageOutputTokens: Number(row.image_output_tokens) }),
      ...(row.long_cache_write_tokens !== null && { longCacheWriteTokens: Number(row.long_cache_write_tokens) }),
      ...(row.search_units !== null && { searchUnits: Number(row.search_units) }),
      basis: row.usage_basis,
    },
    costMicros: row.cost_micros === null ? null : Number(row.cost_micros),
    outcome: row.outcome,
    ...(row.error_code !== null && { errorCode: row.error_code }),
    ...(row.cache !== null && { cache: row.cache }),
    attempts: Number(row.attempts),
    streamed: Number(row.streamed) === 1,
    durationMs: Number(row.duration_ms),
    ...(row.first_byte_ms !== null && { firstByteMs: Number(row.first_byte_ms) }),
    ...(row.trace_id !== null && { traceId: row.trace_id }),
  };
}

function tagsOf(text: string): string[] {
  const tags: unknown = JSON.parse(text);
  return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : [];
}
