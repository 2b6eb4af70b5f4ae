import { describe, expect, test } from 'bun:test';
import { createMemoryCounterStore } from './memory-counter-store.ts';

const perMinute = (key: string, amount: number, limit: number) => ({ key, amount, limit, windowMs: 60_000 });

describe('memory counter store', () => {
  test('takes all or nothing: a refused limit leaves the others untouched', async () => {
    const store = createMemoryCounterStore();
    await store.take([perMinute('b', 1, 1)], 0);
    const refused = await store.take([perMinute('a', 1, 10), perMinute('b', 1, 1)], 0);
    expect(refused).toMatchObject({ allowed: false, refusedIndex: 1, retryAfterMs: 60_000 });
    expect((await store.take([perMinute('a', 10, 10)], 0)).allowed).toBe(true);
  });

  test('a rate refills evenly over its window', async () => {
    const store = createMemoryCounterStore();
    expect((await store.take([perMinute('a', 60, 60)], 0)).allowed).toBe(true);
    expect((await store.take([perMinute('a', 1, 60)], 999)).allowed).toBe(false);
    expect((await store.take([perMinute('a', 1, 60)], 1000)).allowed).toBe(true);
  });

  test('a clock that jumps an hour back opens no free window and locks out for two windows at most', async () => {
    const store = createMemoryCounterStore();
    const hour = 3_600_000;
    await store.take([perMinute('a', 60, 60)], hour);
    expect((await store.take([perMinute('a', 1, 60)], 0)).allowed).toBe(false);
    await store.correct([perMinute('a', 1, 60)], 0);
    expect((await store.take([perMinute('a', 1, 60)], 121_000)).allowed).toBe(true);
  });

  test('of many concurrent takes on a level for one exactly one passes, and giving back frees it', async () => {
    const store = createMemoryCounterStore();
    const take = { key: 'budget', amount: 5, limit: 9 };
    const answers = await Promise.all(Array.from({ length: 50 }, () => store.take([take], 0)));
    expect(answers.filter((answer) => answer.allowed)).toHaveLength(1);
    await store.correct([{ ...take, amount: -5 }], 0);
    expect((await store.take([take], 0)).allowed).toBe(true);
  });
});
