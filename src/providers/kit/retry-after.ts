/** No upstream is taken to ask for a longer pause than a day. */
const MAX_PAUSE_MS = 24 * 60 * 60 * 1000;

/**
 * How long an upstream asks to be left alone, in milliseconds: `retry-after-ms`, or `retry-after` in seconds
 * or as a date (RFC 9110, 10.2.3). undefined where it asks for nothing that makes sense.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const ms = pauseOf(headers.get('retry-after-ms'), 1);
  if (ms !== undefined) return ms;
  const header = headers.get('retry-after');
  const seconds = pauseOf(header, 1000);
  if (seconds !== undefined || header === null) return seconds;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.min(MAX_PAUSE_MS, Math.max(0, date - nowMs));
}

function pauseOf(header: string | null, unitMs: number): number | undefined {
  if (header === null || !/^\s*\d+(\.\d+)?\s*$/.test(header)) return undefined;
  return Math.min(MAX_PAUSE_MS, Math.ceil(Number(header) * unitMs));
}
