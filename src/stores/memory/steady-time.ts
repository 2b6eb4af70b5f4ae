import type { Clock } from '../../lib/clock.ts';

/** How fast a difference to the wall clock is made good: a tenth of the time that passes. */
const SLEW = 0.1;

/**
 * Wall time that never jumps: it goes on by the monotonic clock and leans towards the wall clock by a tenth of
 * the time that passed. A wall clock set an hour wrong moves it by an hour in ten hours, and one set right
 * brings it back as slowly; it never runs backwards. What a sleeping machine missed is made good likewise.
 *
 * @returns milliseconds since 1970.
 */
export function createSteadyTime(clock: Clock): () => number {
  let steadyMs = clock.nowMs();
  let lastMs = clock.monotonicMs();
  return () => {
    const monotonicMs = clock.monotonicMs();
    const passedMs = Math.max(0, monotonicMs - lastMs);
    lastMs = monotonicMs;
    steadyMs += passedMs;
    const behindMs = clock.nowMs() - steadyMs;
    steadyMs += Math.max(-SLEW * passedMs, Math.min(SLEW * passedMs, behindMs));
    return steadyMs;
  };
}
