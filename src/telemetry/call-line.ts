import type { LedgerEntry } from '../spec/ledger.ts';
import { jsonText } from './log-line.ts';

/** The line of a settled call without an error, put together by hand: it is written for every call. */
export function callLine(level: 'info' | 'warn', time: string, entry: LedgerEntry): string {
  const { usage } = entry;
  return (
    `{"level":"${level}","time":"${time}","request_id":"${entry.requestId}","key":"${entry.keyId}"` +
    `,"route":${jsonText(entry.route)},"target":${jsonText(entry.target)},"operation":"${entry.operation}"` +
    `,"outcome":"${entry.outcome}","input_tokens":${usage.inputTokens},"output_tokens":${usage.outputTokens}` +
    `,"cost_micros":${entry.costMicros},"attempts":${entry.attempts},"streamed":${entry.streamed}` +
    `,"duration_ms":${Math.round(entry.durationMs)}` +
    (entry.team === undefined ? '' : `,"team":${jsonText(entry.team)}`) +
    (entry.cache === undefined ? '' : `,"cache":"${entry.cache}"`) +
    (entry.traceId === undefined ? '' : `,"trace_id":"${entry.traceId}"`) +
    ',"msg":"model_call"}\n'
  );
}

/** The same fields for a line that is made the general way, with an error beside them. */
export function callFields(entry: LedgerEntry): Record<string, unknown> {
  const { usage } = entry;
  return {
    request_id: entry.requestId,
    key: entry.keyId,
    route: entry.route,
    target: entry.target,
    operation: entry.operation,
    outcome: entry.outcome,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost_micros: entry.costMicros,
    attempts: entry.attempts,
    streamed: entry.streamed,
    duration_ms: Math.round(entry.durationMs),
    team: entry.team,
    cache: entry.cache,
    trace_id: entry.traceId,
  };
}
