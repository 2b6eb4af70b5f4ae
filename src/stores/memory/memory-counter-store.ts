import { LRUCache } from 'lru-cache';
import type { CounterAnswer, CounterStore, CounterTake } from '../../ports/counter-store.ts';

/**
 * Counters of one process. A rate is a bucket that refills evenly (the generic cell rate algorithm, ITU-T
 * I.371: one number, the time at which the bucket is full again). Rates are bounded: of 100,000 the least
 * recently used is forgotten, which can only forget use. A level is one number, dropped when it is zero.
 */
export function createMemoryCounterStore(): CounterStore {
  const fullAtMs = new LRUCache<string, number>({ max: 100_000 });
  const levels = new Map<string, number>();

  const used = (take: CounterTake, nowMs: number): number => {
    if (take.windowMs === undefined) return levels.get(take.key) ?? 0;
    return Math.max(0, ((fullAtMs.get(take.key) ?? 0) - nowMs) / (take.windowMs / take.limit));
  };

  const add = (take: CounterTake, nowMs: number): void => {
    if (take.windowMs === undefined) {
      const level = Math.max(0, (levels.get(take.key) ?? 0) + take.amount);
      if (level === 0) levels.delete(take.key);
      else levels.set(take.key, level);
      return;
    }
    const base = Math.max(nowMs, fullAtMs.get(take.key) ?? 0);
    // Two windows of debt at most, so that neither a huge correction nor a clock jump locks a key out for longer.
    fullAtMs.set(take.key, Math.min(base + (take.amount * take.windowMs) / take.limit, nowMs + 2 * take.windowMs));
  };

  return {
    take: (takes, nowMs): Promise<CounterAnswer> => {
      const refusedIndex = takes.findIndex((take) => used(take, nowMs) + take.amount > take.limit + 1e-9);
      const refused = takes[refusedIndex];
      if (refused !== undefined) {
        const excess = used(refused, nowMs) + refused.amount - refused.limit;
        const windowMs = refused.windowMs ?? 0;
        const retryAfterMs = Math.min(windowMs, Math.ceil((excess * windowMs) / refused.limit));
        return Promise.resolve({ allowed: false, refusedIndex, retryAfterMs, remaining: remainingOf(takes, nowMs) });
      }
      for (const take of takes) add(take, nowMs);
      return Promise.resolve({ allowed: true, retryAfterMs: 0, remaining: remainingOf(takes, nowMs) });
    },
    correct: (takes, nowMs) => {
      for (const take of takes) add(take, nowMs);
      return Promise.resolve();
    },
  };

  function remainingOf(takes: readonly CounterTake[], nowMs: number): number[] {
    return takes.map((take) => Math.max(0, Math.floor(take.limit - used(take, nowMs) + 1e-9)));
  }
}
