const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * How long a job waits after a failed try: twice as long each time, the upper half of it by chance, so that jobs that
 * failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter", equal jitter).
 * What the other side asked for is the least.
 *
 * @param attempt the try that failed, from 1.
 */
export function retryDelayMs(attempt: number, random: () => number, retryAfterMs = 0): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.max(retryAfterMs, Math.round(whole / 2 + (random() * whole) / 2));
}
