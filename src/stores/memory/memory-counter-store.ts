import { LRUCache } from 'lru-cache';
import type { CounterAnswer, CounterStore, CounterTake } from '../../ports/counter-store.ts';

/**
 * Counters of one process. Each limit is a bucket of `limit` units that refills evenly over `windowMs`
 * (the generic cell rate algorithm: one number, the time at which the bucket is full again).
 * Bounded: the least recently used of 100,000 counters is forgotten, which can only forget use.
 */
export function createMemoryCounterStore(): CounterStore {
  const fullAtMs = new LRUCache<string, number>({ max: 100_000 });

  const msPerUnit = (take: CounterTake): number => take.windowMs / take.limit;
  /** Units in use now. A clock that jumps back never makes the bucket fuller than its limit. */
  const used = (take: CounterTake, nowMs: number): number =>
    Math.max(0, ((fullAtMs.get(take.key) ?? 0) - nowMs) / msPerUnit(take));

  const add = (take: CounterTake, nowMs: number): void => {
    const base = Math.max(nowMs, fullAtMs.get(take.key) ?? 0);
    // One window of debt at most, so that neither a huge correction nor a clock jump locks a key out for longer.
    fullAtMs.set(take.key, Math.min(base + take.amount * msPerUnit(take), nowMs + 2 * take.windowMs));
  };

  return {
    take: (takes, nowMs): Promise<CounterAnswer> => {
      const remaining = takes.map((take) => Math.max(0, Math.floor(take.limit - used(take, nowMs))));
      const refusedIndex = takes.findIndex((take) => used(take, nowMs) + take.amount > take.limit + 1e-9);
      const refused = takes[refusedIndex];
      if (refused !== undefined) {
        const excess = used(refused, nowMs) + refused.amount - refused.limit;
        const retryAfterMs = Math.min(refused.windowMs, Math.ceil(excess * msPerUnit(refused)));
        return Promise.resolve({ allowed: false, refusedIndex, retryAfterMs, remaining });
      }
      for (const take of takes) add(take, nowMs);
      return Promise.resolve({ allowed: true, retryAfterMs: 0, remaining });
    },
    correct: (takes, nowMs) => {
      for (const take of takes) add(take, nowMs);
      return Promise.resolve();
    },
  };
}
