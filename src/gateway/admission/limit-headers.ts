import type { PlannedTake } from './planned-take.ts';

const NONE: readonly (readonly [string, string])[] = [];

/**
 * The headers by which OpenAI tells how much is left, of the limit of which least is left: `x-ratelimit-limit-`,
 * `-remaining-` and `-reset-` of requests and of tokens. Limits that are only observed are not told.
 */
export function limitHeaders(
  planned: readonly PlannedTake[],
  standing: { remaining: readonly number[]; resetMs: readonly number[] },
): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (const counts of ['requests', 'tokens'] as const) {
    let scarcest = -1;
    for (const [at, { measure, take }] of planned.entries()) {
      if (measure.counts !== counts || take.mode === 'shadow') continue;
      if (scarcest < 0 || (standing.remaining[at] ?? 0) < (standing.remaining[scarcest] ?? 0)) scarcest = at;
    }
    const found = planned[scarcest];
    if (found === undefined) continue;
    headers.push(
      [`x-ratelimit-limit-${counts}`, String(found.measure.limit)],
      [`x-ratelimit-remaining-${counts}`, String(standing.remaining[scarcest] ?? 0)],
      [`x-ratelimit-reset-${counts}`, goDuration(standing.resetMs[scarcest] ?? 0)],
    );
  }
  return headers.length === 0 ? NONE : headers;
}

/** Milliseconds as Go prints a duration, which is what OpenAI sends: `12ms`, `1.5s`, `6m0s`, `1h0m0s`. */
function goDuration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole === 0) return '0s';
  if (whole < 1_000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${(whole % 60_000) / 1_000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
