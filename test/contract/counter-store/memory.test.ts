import { heapStats } from 'bun:jsc';
import { expect, test } from 'bun:test';
import { createMemoryCounterStore } from '../../../src/stores/memory/memory-counter-store.ts';
import { counterStoreContract } from './counter-store.contract.ts';

counterStoreContract('memory', () => {
  const clock = { passedMs: 0, nowMs: () => 1_770_000_000_000 + clock.passedMs, monotonicMs: () => clock.passedMs };
  const store = createMemoryCounterStore({ clock });
  return Promise.resolve({
    store,
    advance: (ms: number) => {
      clock.passedMs += ms;
      return Promise.resolve();
    },
    toleranceMs: 0,
    stop: () => store.close(),
  });
});

test('what it remembers is bounded', async () => {
  const store = createMemoryCounterStore();
  const mode = 'enforce' as const;
  const takeOf = (at: number) => ({
    id: `res_${at}`,
    leaseMs: 60_000,
    takes: [
      { key: `r${at}`, amount: 1, limit: 10, windowMs: 86_400_000, mode },
      { key: `l${at}`, amount: 1, limit: 10, mode },
    ],
  });
  const heapAfter = async (from: number, to: number): Promise<number> => {
    for (let at = from; at < to; at++) await store.take(takeOf(at));
    Bun.gc(true);
    return heapStats().heapSize / 2 ** 20;
  };
  const full = await heapAfter(0, 120_000);
  expect((await heapAfter(120_000, 360_000)) - full).toBeLessThan(20);
}, 30_000);
