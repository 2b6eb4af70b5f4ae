import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { seededRandom, targetOf } from '../../../test/support/routing-plan.ts';
import { createChooseTarget } from './choose-target.ts';
import type { PlannedGroup, ResolvedTarget } from './plan.ts';

interface Seen {
  expectedMs?: Record<string, number>;
  inFlight?: Record<string, number>;
  full?: string[];
}

function chooser(seen: Seen = {}, random = seededRandom(7)) {
  return createChooseTarget({
    expectedMs: ({ key }) => seen.expectedMs?.[key] ?? 0,
    inFlight: ({ key }) => seen.inFlight?.[key] ?? 0,
    isFree: ({ key }) => seen.full?.includes(key) !== true,
    random,
  });
}

const all = (): boolean => true;
const but =
  (...ill: string[]) =>
  ({ key }: ResolvedTarget): boolean =>
    !ill.includes(key);

/** How often each target is chosen, as shares. */
function sharesOf(group: PlannedGroup, choose = chooser(), eligible: (target: ResolvedTarget) => boolean = all) {
  const draws = 20_000;
  const counts: Record<string, number> = {};
  for (let each = 0; each < draws; each++) {
    const key = choose(group, eligible)?.key ?? 'none';
    counts[key] = (counts[key] ?? 0) + 1 / draws;
  }
  return counts;
}

const targets = [targetOf('a'), targetOf('b'), targetOf('c')];

describe('ordered', () => {
  test('takes the first that is eligible, full or not', () => {
    const choose = chooser({ full: ['a'] });
    expect(choose({ strategy: 'ordered', targets }, all)?.key).toBe('a');
    expect(choose({ strategy: 'ordered', targets }, but('a'))?.key).toBe('b');
    expect(choose({ strategy: 'ordered', targets }, () => false)).toBeUndefined();
  });

  test('spreads over the places of a fleet and prefers the quicker', () => {
    const fleet = ['http://1', 'http://2', 'http://3'].map((origin) => targetOf('m', { origin }));
    const group: PlannedGroup = { strategy: 'ordered', targets: [...fleet, targetOf('spare')] };
    const shares = sharesOf(group, chooser({ expectedMs: { 'm@http://3': 100 } }));
    expect(shares['spare']).toBeUndefined();
    expect(shares['m@http://1']).toBeGreaterThan(0.4);
    expect(shares['m@http://3'] ?? 0).toBe(0);
  });
});

describe('weighted', () => {
  test('property: shares converge to the weights, among those that are eligible', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 }),
        fc.integer(),
        (weights, seed) => {
          const group: PlannedGroup = {
            strategy: 'weighted',
            targets: weights.map((weight, index) => targetOf(`t${index}`, { weight })),
          };
          const ill = 't0';
          const shares = sharesOf(group, chooser({}, seededRandom(seed)), but(ill));
          const total = weights.slice(1).reduce((sum, weight) => sum + weight, 0);
          expect(shares[ill]).toBeUndefined();
          weights.slice(1).forEach((weight, index) => {
            expect(Math.abs((shares[`t${index + 1}`] ?? 0) - weight / total)).toBeLessThan(0.02);
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a weight of 0 is for the day when nothing else is left', () => {
    const group: PlannedGroup = { strategy: 'weighted', targets: [targetOf('a', { weight: 0 }), targetOf('b')] };
    expect(sharesOf(group)).toEqual({ b: expect.closeTo(1) });
    expect(chooser()(group, but('b'))?.key).toBe('a');
  });

  test('a full target is passed over while another one has a place', () => {
    const group: PlannedGroup = { strategy: 'weighted', targets };
    expect(sharesOf(group, chooser({ full: ['a', 'b'] }))).toEqual({ c: expect.closeTo(1) });
    expect(Object.keys(sharesOf(group, chooser({ full: ['a', 'b', 'c'] }))).sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('least-busy', () => {
  test('takes the one with the fewest calls under way for its weight', () => {
    const choose = chooser({ inFlight: { a: 3, b: 1, c: 2 } });
    expect(choose({ strategy: 'least-busy', targets }, all)?.key).toBe('b');
    const weighted = [targetOf('a', { weight: 4 }), targetOf('b', { weight: 1 })];
    expect(choose({ strategy: 'least-busy', targets: weighted }, all)?.key).toBe('a');
  });
});

describe('latency', () => {
  test('the slowest of three is never the better of two', () => {
    const shares = sharesOf({ strategy: 'latency', targets }, chooser({ expectedMs: { a: 10, b: 20, c: 500 } }));
    expect(shares['c'] ?? 0).toBe(0);
    expect(shares['a']).toBeCloseTo(2 / 3, 1);
  });

  test('property: P2C never takes an ill target, and takes the only well one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer(), fc.nat(), (count, seed, pick) => {
        const group: PlannedGroup = {
          strategy: 'latency',
          targets: Array.from({ length: count }, (_, index) => targetOf(`t${index}`)),
        };
        const well = `t${pick % count}`;
        const chosen = chooser({}, seededRandom(seed))(group, ({ key }) => key === well);
        expect(chosen?.key).toBe(well);
      }),
    );
  });
});

describe('cheapest', () => {
  const priced = [
    targetOf('unpriced'),
    targetOf('reads-cheap', { price: { inputPerMillion: 1, outputPerMillion: 20 } }),
    targetOf('writes-cheap', { price: { inputPerMillion: 5, outputPerMillion: 5 } }),
  ];

  test('goes by what this call would cost', () => {
    const group: PlannedGroup = { strategy: 'cheapest', targets: priced };
    const choose = chooser();
    expect(choose(group, all, () => ({ inputTokens: 10_000, maxOutputTokens: 10 }))?.key).toBe('reads-cheap');
    expect(choose(group, all, () => ({ inputTokens: 10, maxOutputTokens: 10_000 }))?.key).toBe('writes-cheap');
    expect(choose(group, (target) => target.price === undefined)?.key).toBe('unpriced');
  });
});

describe('sticky', () => {
  const group = (names: readonly string[], affinity: string): PlannedGroup => ({
    strategy: 'sticky',
    affinity,
    targets: names.map((name) => targetOf(name)),
  });

  test('property: a target that leaves moves its own callers and no other', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 8 }),
        fc.array(fc.string(), { minLength: 1, maxLength: 50 }),
        (names, callers) => {
          const choose = chooser();
          const [gone = '', ...rest] = names;
          for (const caller of callers) {
            const before = choose(group(names, caller), all)?.key;
            const after = choose(group(rest, caller), all)?.key;
            if (before !== gone) expect(after).toBe(before);
            // An ill target is the same as one that is gone.
            expect(choose(group(names, caller), but(gone))?.key).toBe(after);
          }
        },
      ),
    );
  });

  test('shares follow the weights', () => {
    const choose = chooser();
    const weighted = [targetOf('a', { weight: 3 }), targetOf('b', { weight: 1 })];
    let first = 0;
    for (let caller = 0; caller < 10_000; caller++) {
      if (choose({ strategy: 'sticky', affinity: `user-${caller}`, targets: weighted }, all)?.key === 'a') first++;
    }
    expect(first / 10_000).toBeCloseTo(0.75, 1);
  });

  test('a call that names nothing to stick to goes by weight', () => {
    const shares = sharesOf({ strategy: 'sticky', targets });
    expect(shares['a']).toBeCloseTo(1 / 3, 1);
  });
});
