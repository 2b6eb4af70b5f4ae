import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { CounterAnswer, CounterSettlement, CounterStore, CounterTake } from '../../../src/ports/counter-store.ts';

/** One store under test. */
export interface CounterStoreFixture {
  store: CounterStore;
  /** Lets the store's time go on. */
  advance(ms: number): Promise<void>;
  /** How exactly `advance` can be relied on, in milliseconds: what may pass beside it. */
  toleranceMs: number;
  stop(): Promise<void>;
}

const WINDOW_MS = 200;
const LEASE_MS = 400;
const LONG_LEASE_MS = 60_000;

/** What every counter store must do. `make` gives an empty store of its own. */
export function counterStoreContract(name: string, make: () => Promise<CounterStoreFixture>): void {
  describe(`counter store: ${name}`, () => {
    let fixture: CounterStoreFixture;
    let store: CounterStore;
    let next = 0;
    const newKey = (): string => `{t}:k${next++}`;
    const newId = (): string => `res_${next++}`;

    beforeAll(async () => {
      fixture = await make();
      store = fixture.store;
    });
    afterAll(() => fixture.stop());

    const rate = (key: string, amount: number, limit: number, windowMs = WINDOW_MS): CounterTake => ({
      key,
      amount,
      limit,
      windowMs,
      mode: 'enforce',
    });
    const level = (key: string, amount: number, limit: number): CounterTake => ({
      key,
      amount,
      limit,
      mode: 'enforce',
    });
    const money = (key: string, amount: number, limit: number): CounterTake => ({
      ...level(key, amount, limit),
      needsSeed: true,
    });
    const take = (takes: CounterTake[], id = newId(), leaseMs = LONG_LEASE_MS): Promise<CounterAnswer> =>
      store.take({ id, takes, leaseMs });
    const outcome = async (...takes: CounterTake[]): Promise<string> => (await take(takes)).outcome;
    /** What is left of a level, without taking of it. */
    const left = async (key: string, limit: number): Promise<number | undefined> => {
      const answer = await take([{ ...level(key, 0, limit), mode: 'shadow' }]);
      return answer.outcome === 'taken' ? answer.remaining[0] : undefined;
    };
    const settled = (each: CounterTake, used: number, keeps: boolean): CounterSettlement => ({
      key: each.key,
      reserved: each.amount,
      used,
      limit: each.limit,
      ...(each.windowMs !== undefined && { windowMs: each.windowMs }),
      keeps,
    });

    describe('taking', () => {
      test('all or nothing: the refusal of one leaves the others untouched', async () => {
        const [a, b, c] = [newKey(), newKey(), newKey()];
        await take([level(b, 1, 1)]);
        expect(await take([rate(a, 1, 10, LONG_LEASE_MS), level(b, 1, 1), level(c, 1, 1)])).toMatchObject({
          outcome: 'refused',
          index: 1,
          retryAfterMs: 0,
          remaining: [10, 0, 1],
        });
        expect(await outcome(rate(a, 10, 10, LONG_LEASE_MS), level(c, 1, 1))).toBe('taken');
      });

      test('of many at once on a level for one exactly one passes', async () => {
        const key = newKey();
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(level(key, 5, 9))));
        expect(outcomes.filter((each) => each === 'taken')).toHaveLength(1);
        expect(outcomes.filter((each) => each === 'refused')).toHaveLength(49);
      });

      test('tells what is left, and when a rate is whole again', async () => {
        const [a, b] = [newKey(), newKey()];
        const answer = await take([rate(a, 3, 10, 60_000), level(b, 2, 5)]);
        expect(answer).toMatchObject({ outcome: 'taken', remaining: [7, 3], shadowRefused: [] });
        if (answer.outcome !== 'taken') throw new Error(answer.outcome);
        expect(answer.resetMs[0]).toBeWithin(17_900, 18_001);
        expect(answer.resetMs[1]).toBe(0);
      });

      test('nothing asked of a used-up level passes, and holds nothing', async () => {
        const key = newKey();
        await take([level(key, 5, 5)]);
        expect(await outcome(level(key, 0, 5))).toBe('taken');
        expect(await left(key, 9)).toBe(4);
      });
    });

    describe('rates', () => {
      test('refill evenly, and the time named suffices', async () => {
        const key = newKey();
        expect(await outcome(rate(key, 4, 4))).toBe('taken');
        const refused = await take([rate(key, 2, 4)]);
        if (refused.outcome !== 'refused') throw new Error(refused.outcome);
        expect(refused.retryAfterMs).toBeWithin(WINDOW_MS / 2 - fixture.toleranceMs, WINDOW_MS / 2 + 1);
        await fixture.advance(refused.retryAfterMs);
        expect(await outcome(rate(key, 2, 4))).toBe('taken');
      });

      test('never more than the limit and what refilled passes, whatever is asked when', async () => {
        const steps = fc.array(fc.record({ waitMs: fc.nat(120), units: fc.integer({ min: 1, max: 6 }) }), {
          minLength: 1,
          maxLength: 25,
        });
        await fc.assert(
          fc.asyncProperty(steps, fc.integer({ min: 1, max: 9 }), async (asked, limit) => {
            const key = newKey();
            const passed: { beforeMs: number; afterMs: number; units: number }[] = [];
            for (const { waitMs, units } of asked) {
              if (fixture.toleranceMs === 0) await fixture.advance(waitMs);
              const beforeMs = store.nowMs();
              const answer = await take([rate(key, units, limit)]);
              if (answer.outcome === 'taken') passed.push({ beforeMs, afterMs: store.nowMs(), units });
            }
            for (const [from, first] of passed.entries()) {
              let units = 0;
              for (const last of passed.slice(from)) {
                units += last.units;
                const spanMs = last.afterMs - first.beforeMs + fixture.toleranceMs;
                expect(units).toBeLessThanOrEqual(limit + (spanMs * limit) / WINDOW_MS + 1e-6);
              }
            }
          }),
          { numRuns: 60 },
        );
      });

      test('what was not used comes back, and never more than the whole', async () => {
        const key = newKey();
        const each = rate(key, 10, 10, 60_000);
        const id = newId();
        await take([each], id);
        await store.settle(id, [settled(each, 4, false)]);
        expect((await take([rate(key, 1, 10, 60_000)])).outcome).toBe('taken');
        const second = newId();
        const small = rate(key, 1, 10, 60_000);
        await take([small], second);
        await store.settle(second, [{ ...settled(small, 0, false), reserved: 1_000 }]);
        expect(await take([rate(key, 0, 10, 60_000)])).toMatchObject({ remaining: [10], resetMs: [0] });
      });

      test('what was used beyond the estimate is owed, of which two windows at most', async () => {
        const key = newKey();
        const each = rate(key, 1, 10);
        const id = newId();
        await take([each], id);
        await store.settle(id, [settled(each, 1_000_000, false)]);
        expect(await outcome(rate(key, 1, 10))).toBe('refused');
        await fixture.advance(1.5 * WINDOW_MS - 2 * fixture.toleranceMs);
        expect(await outcome(rate(key, 10, 10))).toBe('refused');
        await fixture.advance(WINDOW_MS / 2 + 2 * fixture.toleranceMs);
        expect(await outcome(rate(key, 1, 10))).toBe('taken');
      });
    });

    describe('levels', () => {
      test('calls in flight: held until settled, then free', async () => {
        const each = level(newKey(), 1, 1);
        const id = newId();
        await take([each], id);
        expect(await outcome(each)).toBe('refused');
        await store.settle(id, [settled(each, 0, false)]);
        expect(await outcome(each)).toBe('taken');
      });

      test('money: the hold is replaced by what was spent', async () => {
        const key = newKey();
        const each = level(key, 60, 100);
        const id = newId();
        await take([each], id);
        await store.settle(id, [settled(each, 10, true)]);
        expect(await left(key, 100)).toBe(90);
        const dear = newId();
        await take([each], dear);
        await store.settle(dear, [settled(each, 150, true)]);
        expect(await left(key, 200)).toBe(40);
        expect(await outcome(level(key, 1, 100))).toBe('refused');
      });

      test('settled twice counts once, for money, for calls in flight and for rates', async () => {
        const takes = [level(newKey(), 10, 100), level(newKey(), 1, 5), rate(newKey(), 10, 100, 60_000)] as const;
        const [cost, flight, tokens] = takes;
        const id = newId();
        await take([...takes], id);
        const settlements = [settled(cost, 30, true), settled(flight, 0, false), settled(tokens, 50, false)];
        await store.settle(id, settlements);
        await store.settle(id, settlements);
        await store.settle(id, settlements);
        expect(await left(cost.key, 100)).toBe(70);
        expect(await left(flight.key, 5)).toBe(5);
        expect(await take([{ ...tokens, amount: 0 }])).toMatchObject({ remaining: [50] });
      });

      test('the sum holds for any mixture of taking, settling and settling again', async () => {
        const limit = 50;
        const command = fc.oneof(
          fc.record({ kind: fc.constant('take' as const), amount: fc.integer({ min: 1, max: 20 }) }),
          fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(40), used: fc.nat(25) }),
        );
        await fc.assert(
          fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
            const key = newKey();
            const calls: { id: string; amount: number; spent?: number }[] = [];
            const standing = (): number => calls.reduce((sum, call) => sum + (call.spent ?? call.amount), 0);
            for (const each of commands) {
              if (each.kind === 'take') {
                const id = newId();
                const answer = await take([level(key, each.amount, limit)], id);
                expect(answer.outcome).toBe(standing() + each.amount <= limit ? 'taken' : 'refused');
                if (answer.outcome === 'taken') calls.push({ id, amount: each.amount });
              } else if (calls.length > 0) {
                const call = calls[each.pick % calls.length];
                if (call === undefined) continue;
                await store.settle(call.id, [settled(level(key, call.amount, limit), each.used, true)]);
                call.spent ??= each.used;
              }
              expect(await left(key, 10_000)).toBe(10_000 - standing());
            }
          }),
          { numRuns: 40 },
        );
      });
    });

    describe('leases', () => {
      test('what nobody settles is let go when its lease ends, whoever is next to look', async () => {
        const each = level(newKey(), 1, 1);
        await take([each], newId(), LEASE_MS);
        expect(await outcome(each)).toBe('refused');
        await fixture.advance(LEASE_MS + 1);
        expect(await outcome(each)).toBe('taken');
      });

      test('hundreds that end together are all let go', async () => {
        const key = newKey();
        await Promise.all(Array.from({ length: 350 }, () => take([level(key, 1, 350)], newId(), LEASE_MS)));
        expect(await outcome(level(key, 1, 350))).toBe('refused');
        await fixture.advance(LEASE_MS + 1);
        for (let looks = 0; looks < 4; looks++) await outcome(level(key, 0, 350));
        expect(await outcome(level(key, 350, 350))).toBe('taken');
      });

      test('settling after the lease has ended counts what was used, once', async () => {
        const key = newKey();
        const each = level(key, 40, 100);
        const id = newId();
        await take([each], id, LEASE_MS);
        await fixture.advance(LEASE_MS + 1);
        expect(await left(key, 100)).toBe(100);
        await store.settle(id, [settled(each, 30, true)]);
        await store.settle(id, [settled(each, 30, true)]);
        expect(await left(key, 100)).toBe(70);
      });

      test('a renewed hold outlives its first lease; one that was let go is held again', async () => {
        const [kept, lost] = [newKey(), newKey()];
        const [keptId, lostId] = [newId(), newId()];
        await take([level(kept, 1, 1)], keptId, LEASE_MS);
        await take([level(lost, 1, 1)], lostId, LEASE_MS);
        await fixture.advance(LEASE_MS / 2);
        await store.renew([keptId], LONG_LEASE_MS);
        await fixture.advance(LEASE_MS / 2 + 1);
        expect(await left(kept, 1)).toBe(0);
        expect(await left(lost, 1)).toBe(1);
        await store.renew([keptId, lostId], LONG_LEASE_MS);
        expect(await left(kept, 1)).toBe(0);
        expect(await left(lost, 1)).toBe(0);
        await store.settle(keptId, [settled(level(kept, 1, 1), 0, false)]);
        await store.settle(lostId, [settled(level(lost, 1, 1), 0, false)]);
        expect(await left(kept, 1)).toBe(1);
        expect(await left(lost, 1)).toBe(1);
      });

      test('renewing what is settled, or was never there, holds nothing', async () => {
        const key = newKey();
        const id = newId();
        await take([level(key, 1, 1)], id);
        await store.settle(id, [settled(level(key, 1, 1), 0, false)]);
        await store.renew([id, 'res_unknown'], LONG_LEASE_MS);
        expect(await left(key, 1)).toBe(1);
      });
    });

    describe('levels with a history', () => {
      test('are named before anything is taken, begin at their seed, and the first seed counts', async () => {
        const [a, b] = [newKey(), newKey()];
        const takes = [level(b, 1, 1), money(a, 40, 100)];
        expect(await take(takes)).toEqual({ outcome: 'unseeded', indexes: [1] });
        await store.seed(a, 60);
        await store.seed(a, 0);
        expect(await take(takes)).toMatchObject({ outcome: 'taken', remaining: [0, 0] });
        expect(await outcome(money(a, 1, 100))).toBe('refused');
      });

      test('what is settled while the history is being read is not lost', async () => {
        const key = newKey();
        expect(await outcome(money(key, 1, 100))).toBe('unseeded');
        await store.settle(newId(), [settled(money(key, 1, 100), 30, true)]);
        await store.seed(key, 50);
        expect(await outcome(money(key, 21, 100))).toBe('refused');
        expect(await outcome(money(key, 20, 100))).toBe('taken');
      });

      test('what is settled before anyone asked is part of the history', async () => {
        const key = newKey();
        await store.settle(newId(), [settled(money(key, 1, 100), 30, true)]);
        expect(await outcome(money(key, 1, 100))).toBe('unseeded');
        await store.seed(key, 50);
        expect(await outcome(money(key, 50, 100))).toBe('taken');
      });
    });

    describe('shadow mode', () => {
      const shadow = (each: CounterTake): CounterTake => ({ ...each, mode: 'shadow' });

      test('what would have been refused passes and is named', async () => {
        const [a, b, c] = [newKey(), newKey(), newKey()];
        const takes = [shadow(rate(a, 1, 1, 60_000)), level(b, 1, 5), shadow(level(c, 1, 1))];
        expect(await take(takes)).toMatchObject({ outcome: 'taken', shadowRefused: [] });
        expect(await take(takes)).toMatchObject({ outcome: 'taken', shadowRefused: [0, 2], remaining: [0, 3, 0] });
      });

      test('where an enforced limit refuses, the observed ones are not taken', async () => {
        const [a, b] = [newKey(), newKey()];
        await take([level(b, 1, 1)]);
        expect(await outcome(shadow(level(a, 1, 1)), level(b, 1, 1))).toBe('refused');
        expect(await left(a, 1)).toBe(1);
      });
    });

    test('its time goes on and is close to the time of day', async () => {
      await outcome(level(newKey(), 1, 1));
      const firstMs = store.nowMs();
      await fixture.advance(50);
      expect(store.nowMs() - firstMs).toBeWithin(45, 51 + fixture.toleranceMs);
    });
  });
}
