import { LRUCache } from 'lru-cache';
import { systemClock, type Clock } from '../../lib/clock.ts';
import type { CounterAnswer, CounterSettlement, CounterStore, CounterTake } from '../../ports/counter-store.ts';
import { beginSeeding, hold, keep, levelUsed, newLevel, release, seed, type Level } from './level.ts';
import { after, usedOf } from './rate-bucket.ts';
import { createSteadyTime } from './steady-time.ts';

/** Of each kind so many subjects are remembered; of more, the least recently used is forgotten. */
const MAX_SUBJECTS = 100_000;
/** Settled reservations remembered, so that a repeated settlement changes nothing. */
const MAX_SETTLED = 10_000;
/** Sums of fractions may miss a whole unit by as little. */
const EPSILON = 1e-9;

/**
 * Counters of one process. Durations go by the monotonic clock alone, so that a wall clock set an hour forward
 * or back opens no window and closes none. What is forgotten beyond the bounds is use, or a level that its
 * caller then seeds again; never a limit.
 */
export function createMemoryCounterStore(options: { clock?: Clock } = {}): CounterStore {
  const clock = options.clock ?? systemClock;
  const steadyMs = createSteadyTime(clock);
  // A bounded cache takes its memory at once: not before the first take.
  const rates = atFirstUse(() => new LRUCache<string, number>({ max: MAX_SUBJECTS }));
  const allLevels = atFirstUse(() => new LRUCache<string, Level>({ max: MAX_SUBJECTS }));
  const settled = new LRUCache<string, true>({ max: MAX_SETTLED });
  /** Levels held by reservations that are not settled yet, for renewal. */
  const open = new Map<string, { key: string; amount: number }[]>();

  const levelOf = (key: string): Level => {
    let level = allLevels().get(key);
    if (level === undefined) allLevels().set(key, (level = newLevel()));
    return level;
  };

  /** The level as this take sees it: one that has no history outside begins at nothing. */
  const levelFor = (take: CounterTake): Level => {
    const level = levelOf(take.key);
    if (take.needsSeed !== true) seed(level, 0);
    return level;
  };

  const usedBy = (take: CounterTake, nowMs: number): number =>
    take.windowMs === undefined
      ? levelUsed(levelFor(take), nowMs)
      : usedOf({ limit: take.limit, windowMs: take.windowMs }, rates().get(take.key), nowMs);

  function use(rate: { key: string; limit: number; windowMs: number }, units: number, nowMs: number): void {
    rates().set(rate.key, after(rate, rates().get(rate.key), units, nowMs));
  }

  function take({ id, takes, leaseMs }: Parameters<CounterStore['take']>[0]): CounterAnswer {
    const nowMs = clock.monotonicMs();
    const unseeded: number[] = [];
    const shadowRefused: number[] = [];
    for (const [index, each] of takes.entries()) {
      if (each.needsSeed === true && levelOf(each.key).settled === undefined) unseeded.push(index);
      const excess = usedBy(each, nowMs) + each.amount - each.limit;
      if (excess <= EPSILON) continue;
      if (each.mode === 'shadow') {
        shadowRefused.push(index);
        continue;
      }
      const { windowMs = 0 } = each;
      const retryAfterMs = Math.min(windowMs, Math.ceil((excess * windowMs) / each.limit));
      return { outcome: 'refused', index, retryAfterMs, ...standingOf(takes, nowMs) };
    }
    if (unseeded.length > 0) {
      for (const index of unseeded) beginSeeding(levelOf(takes[index]?.key ?? ''), nowMs);
      return { outcome: 'unseeded', indexes: unseeded };
    }
    const held: { key: string; amount: number }[] = [];
    for (const { key, amount, limit, windowMs } of takes) {
      if (amount === 0) continue;
      if (windowMs !== undefined) {
        use({ key, limit, windowMs }, amount, nowMs);
        continue;
      }
      hold(levelOf(key), id, amount, nowMs + leaseMs);
      held.push({ key, amount });
    }
    if (held.length > 0 && open.size < MAX_SUBJECTS) open.set(id, held);
    return { outcome: 'taken', ...standingOf(takes, nowMs), shadowRefused };
  }

  function standingOf(takes: readonly CounterTake[], nowMs: number) {
    return {
      remaining: takes.map((each) => Math.max(0, Math.floor(each.limit - usedBy(each, nowMs) + EPSILON))),
      resetMs: takes.map((each) =>
        each.windowMs === undefined ? 0 : Math.max(0, Math.ceil((rates().get(each.key) ?? nowMs) - nowMs)),
      ),
    };
  }

  function settle(id: string, settlements: readonly CounterSettlement[]): void {
    const nowMs = clock.monotonicMs();
    const isFirst = !settled.has(id);
    settled.set(id, true);
    open.delete(id);
    for (const { key, reserved, used, limit, windowMs, keeps } of settlements) {
      if (windowMs !== undefined) {
        if (isFirst && used !== reserved) use({ key, limit, windowMs }, used - reserved, nowMs);
        continue;
      }
      const level = allLevels().get(key);
      if (level === undefined) continue;
      release(level, id);
      if (isFirst && keeps) keep(level, used);
    }
  }

  return {
    take: (reservation) => Promise.resolve(take(reservation)),
    settle: (id, settlements) => Promise.resolve(settle(id, settlements)),
    renew: (ids, leaseMs) => {
      const untilMs = clock.monotonicMs() + leaseMs;
      for (const id of ids) {
        // What its lease let go is held again: the call is open, whatever its lease says.
        for (const { key, amount } of open.get(id) ?? []) hold(levelOf(key), id, amount, untilMs);
      }
      return Promise.resolve();
    },
    seed: (key, amount) => Promise.resolve(seed(levelOf(key), amount)),
    nowMs: steadyMs,
    close: () => Promise.resolve(),
  };
}

function atFirstUse<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
