/**
 * A rate by the generic cell rate algorithm (ITU-T I.371): a bucket that refills evenly over its window, kept as
 * one number, the time at which it is full again. Pure functions; times in milliseconds of one monotonic clock.
 */
export interface Rate {
  limit: number;
  windowMs: number;
}

/** Windows of debt at most, so that one call far beyond its estimate does not lock its key out for longer. */
const DEBT_WINDOWS = 2;

/** Units missing from the bucket; more than the limit where there is debt. */
export function usedOf(rate: Rate, fullAtMs: number | undefined, nowMs: number): number {
  return fullAtMs === undefined ? 0 : Math.max(0, ((fullAtMs - nowMs) * rate.limit) / rate.windowMs);
}

/** The bucket after `units` more were used, or given back where negative. */
export function after(rate: Rate, fullAtMs: number | undefined, units: number, nowMs: number): number {
  const next = Math.max(nowMs, fullAtMs ?? nowMs) + (units * rate.windowMs) / rate.limit;
  return Math.max(nowMs, Math.min(next, nowMs + DEBT_WINDOWS * rate.windowMs));
}
