import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { createManualTime } from '../../../test/support/manual-time.ts';
import { createShareBudget } from './share-budget.ts';

const takeAll = (budget: ReturnType<typeof createShareBudget>, share: number, wanted: number): number =>
  Array.from({ length: wanted }, () => budget.take(share)).filter(Boolean).length;

test('a lone call has the floor, and a share of 0 has nothing', () => {
  const { clock } = createManualTime();
  const budget = createShareBudget({ clock, floor: 5 });
  budget.called();
  expect(takeAll(budget, 0, 10)).toBe(0);
  expect(takeAll(budget, 0.1, 10)).toBe(5);
});

test('of a thousand calls a tenth is exactly a hundred: the floor is no extra', () => {
  const { clock } = createManualTime();
  const budget = createShareBudget({ clock, floor: 50 });
  for (let call = 0; call < 1_000; call++) budget.called();
  expect(takeAll(budget, 0.1, 1_000)).toBe(100);
});

test('what has left the window is free again', async () => {
  const time = createManualTime();
  const budget = createShareBudget({ clock: time.clock, floor: 5 });
  budget.called();
  expect(takeAll(budget, 0.1, 10)).toBe(5);
  await time.pass(11_000);
  expect(takeAll(budget, 0.1, 10)).toBe(5);
});

test('property: whenever calls come and extras are wanted, an extra is given exactly where the window has room', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat({ max: 3_000 }), fc.nat({ max: 40 }), fc.nat({ max: 40 })), { maxLength: 40 }),
      async (steps) => {
        const time = createManualTime();
        const budget = createShareBudget({ clock: time.clock, floor: 3 });
        const calls: number[] = [];
        const extras: number[] = [];
        for (const [waitMs, callsNow, wanted] of steps) {
          await time.pass(waitMs);
          const nowMs = time.clock.monotonicMs();
          for (let call = 0; call < callsNow; call++) {
            budget.called();
            calls.push(nowMs);
          }
          const taken = takeAll(budget, 0.25, wanted);
          for (let extra = 0; extra < taken; extra++) extras.push(nowMs);
          // The window moves by whole seconds.
          const within = (times: number[]) =>
            times.filter((at) => Math.floor(at / 1_000) > Math.floor(nowMs / 1_000) - 10).length;
          if (taken > 0) expect(within(extras)).toBeLessThanOrEqual(Math.max(3, 0.25 * within(calls)));
          if (taken < wanted) expect(within(extras) + 1).toBeGreaterThan(Math.max(3, 0.25 * within(calls)));
        }
      },
    ),
    { numRuns: 50 },
  );
});
