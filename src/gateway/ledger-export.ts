import type { LedgerEntry } from '../spec/ledger.ts';
import { dollars } from '../spec/money.ts';
import type { Ledger, LedgerPeriod } from './ledger.ts';

/** `json` is one array, `jsonl` an object per line, `csv` RFC 4180 with a header. */
export const EXPORT_FORMATS = ['csv', 'jsonl', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

type Cell = string | number | boolean | null;

/** Entries that are in memory at once. */
const PAGE = 500;

/** The columns of an export, in order, and what an entry has there. */
const COLUMNS: readonly (readonly [string, (entry: LedgerEntry) => Cell])[] = [
  ['id', (entry) => entry.id],
  ['at', (entry) => new Date(entry.atMs).toISOString()],
  ['request_id', (entry) => entry.requestId],
  ['tenant', (entry) => entry.tenantId],
  ['team', (entry) => entry.team ?? null],
  ['key', (entry) => entry.keyId],
  ['user', (entry) => entry.endUser ?? null],
  ['tags', (entry) => entry.tags?.join(' ') ?? null],
  ['operation', (entry) => entry.operation],
  ['route', (entry) => entry.route],
  ['target', (entry) => entry.target],
  ['wire', (entry) => entry.wire],
  ['model', (entry) => entry.upstreamModel],
  ['outcome', (entry) => entry.outcome],
  ['error', (entry) => entry.errorCode ?? null],
  ['cache', (entry) => entry.cache ?? null],
  ['input_tokens', ({ usage }) => usage.inputTokens],
  ['cached_input_tokens', ({ usage }) => usage.cachedInputTokens],
  ['cache_write_tokens', ({ usage }) => usage.cacheWriteTokens],
  ['long_cache_write_tokens', ({ usage }) => usage.longCacheWriteTokens ?? 0],
  ['audio_input_tokens', ({ usage }) => usage.audioInputTokens ?? 0],
  ['image_input_tokens', ({ usage }) => usage.imageInputTokens ?? 0],
  ['output_tokens', ({ usage }) => usage.outputTokens],
  ['reasoning_tokens', ({ usage }) => usage.reasoningTokens],
  ['audio_output_tokens', ({ usage }) => usage.audioOutputTokens ?? 0],
  ['image_output_tokens', ({ usage }) => usage.imageOutputTokens ?? 0],
  ['search_units', ({ usage }) => usage.searchUnits ?? 0],
  ['usage_basis', ({ usage }) => usage.basis],
  ['cost_micros', (entry) => entry.costMicros],
  ['cost_usd', (entry) => (entry.costMicros === null ? null : dollars(entry.costMicros))],
  ['attempts', (entry) => entry.attempts],
  ['streamed', (entry) => entry.streamed],
  ['duration_ms', (entry) => rounded(entry.durationMs)],
  ['first_byte_ms', (entry) => (entry.firstByteMs === undefined ? null : rounded(entry.firstByteMs))],
  ['trace_id', (entry) => entry.traceId ?? null],
];

/**
 * The entries of a period as text, a page at a time: the reader sets the pace, and leaving off early stops
 * the reading of the database.
 */
export async function* exportLedger(
  ledger: Pick<Ledger, 'page'>,
  query: LedgerPeriod & { format: ExportFormat },
): AsyncGenerator<string> {
  const { format, ...period } = query;
  if (format === 'csv') yield `${COLUMNS.map(([name]) => name).join(',')}\r\n`;
  if (format === 'json') yield '[';
  let after: LedgerEntry | undefined;
  for (;;) {
    const entries = await ledger.page({ ...period, ...(after && { after }), limit: PAGE });
    if (entries.length > 0) yield textOf(entries, format, after === undefined ? 'first' : 'later');
    after = entries.at(-1);
    if (after === undefined || entries.length < PAGE) break;
  }
  if (format === 'json') yield ']\n';
}

function textOf(entries: readonly LedgerEntry[], format: ExportFormat, page: 'first' | 'later'): string {
  switch (format) {
    case 'csv':
      return entries.map((entry) => `${COLUMNS.map(([, read]) => csvCell(read(entry))).join(',')}\r\n`).join('');
    case 'jsonl':
      return entries.map((entry) => `${jsonOf(entry)}\n`).join('');
    case 'json':
      return (page === 'later' ? ',\n' : '\n') + entries.map(jsonOf).join(',\n');
    default:
      return format satisfies never;
  }
}

function jsonOf(entry: LedgerEntry): string {
  return JSON.stringify(Object.fromEntries(COLUMNS.map(([name, read]) => [name, read(entry)])));
}

/**
 * A cell of a CSV file. Text that a spreadsheet would run as a formula is led by an apostrophe
 * (owasp.org/www-community/attacks/CSV_Injection).
 */
export function csvCell(value: Cell): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) || safe !== value ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
