import type { Clock } from '../../lib/clock.ts';
import { createRollingCounts } from './rolling-counts.ts';

/** Lets something extra happen for a share of what happens anyway. */
export interface ShareBudget {
  /** A call took place. */
  called(): void;
  /** Takes one extra where the share allows it. */
  take(share: number): boolean;
}

const WINDOW_MS = 10_000;

/**
 * A budget as Envoy's retry budget: in the last ten seconds the extras are at most `share` of the calls, or `floor`
 * where that is more, so that a lone call is not refused its extra. It is the larger of the two and never their sum:
 * from `floor / share` calls on, the share holds exactly. A share of 0 allows none.
 */
export function createShareBudget(options: { clock: Clock; floor: number }): ShareBudget {
  const { clock, floor } = options;
  const counts = createRollingCounts(WINDOW_MS);
  return {
    called: () => counts.add(clock.monotonicMs(), 1, 0),
    take: (share) => {
      const nowMs = clock.monotonicMs();
      if (share <= 0 || counts.marked(nowMs) + 1 > Math.max(floor, share * counts.calls(nowMs))) return false;
      counts.add(nowMs, 0, 1);
      return true;
    },
  };
}
