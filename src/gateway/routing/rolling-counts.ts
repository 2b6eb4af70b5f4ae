/** Two counts over the last `windowMs`, which leave the window slot by slot. */
export interface RollingCounts {
  readonly windowMs: number;
  add(nowMs: number, calls: number, marked: number): void;
  calls(nowMs: number): number;
  marked(nowMs: number): number;
  clear(): void;
}

const SLOTS = 10;

/** Counts in ten slots of a tenth of the window each; `nowMs` is monotonic. */
export function createRollingCounts(windowMs: number): RollingCounts {
  const slotMs = windowMs / SLOTS;
  const counts = new Float64Array(SLOTS * 2);
  let current = -1;
  let calls = 0;
  let marked = 0;

  /** Drops the slots that have left the window. */
  function advance(nowMs: number): void {
    const slot = Math.floor(nowMs / slotMs);
    if (slot <= current) return;
    for (let each = Math.max(current + 1, slot - SLOTS + 1); each <= slot; each++) {
      const at = (each % SLOTS) * 2;
      calls -= counts[at] ?? 0;
      marked -= counts[at + 1] ?? 0;
      counts[at] = 0;
      counts[at + 1] = 0;
    }
    current = slot;
  }

  return {
    windowMs,
    add: (nowMs, moreCalls, moreMarked) => {
      advance(nowMs);
      const at = (current % SLOTS) * 2;
      counts[at] = (counts[at] ?? 0) + moreCalls;
      counts[at + 1] = (counts[at + 1] ?? 0) + moreMarked;
      calls += moreCalls;
      marked += moreMarked;
    },
    calls: (nowMs) => {
      advance(nowMs);
      return calls;
    },
    marked: (nowMs) => {
      advance(nowMs);
      return marked;
    },
    clear: () => {
      counts.fill(0);
      calls = 0;
      marked = 0;
    },
  };
}
