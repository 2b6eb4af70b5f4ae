import type { Clock } from '../../lib/clock.ts';

/** The time of a server, as its answers tell and the monotonic clock goes on. */
export interface ServerTime {
  /** An answer just told its time. */
  learn(serverMs: number): void;
  /** The server's time now, as far as known; undefined before its first answer. */
  known(): number | undefined;
  /** The same, never running backwards; the wall clock's time before the first answer. */
  nowMs(): number;
}

export function createServerTime(clock: Clock): ServerTime {
  let aheadMs: number | undefined;
  let lastMs = 0;
  const known = (): number | undefined => (aheadMs === undefined ? undefined : aheadMs + clock.monotonicMs());
  return {
    learn: (serverMs) => {
      aheadMs = serverMs - clock.monotonicMs();
    },
    known,
    nowMs: () => {
      const now = known();
      // What the wall clock said before counts for nothing once the server has spoken.
      if (now === undefined) return clock.nowMs();
      lastMs = Math.max(lastMs, now);
      return lastMs;
    },
  };
}
