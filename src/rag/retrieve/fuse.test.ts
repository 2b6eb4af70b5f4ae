import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { IndexHit } from '../../ports/chunk-index.ts';
import { fuse, fuseByRank } from './fuse.ts';

const leg = (...pairs: [string, number][]): IndexHit[] =>
  pairs.map(([chunkId, score]) => ({ chunkId, documentId: chunkId, start: 0, end: 1, headingPath: [], score }));

describe('fuse', () => {
  test('combines both legs and says how', () => {
    const legs = [leg(['a', 30], ['b', 15]), leg(['b', 0.9], ['c', 0.5], ['d', 0.1])] as const;
    const [first, second, third] = fuse(...legs, { denseWeight: 0.5, limit: 10 });
    expect(first?.hit.chunkId).toBe('b');
    expect(first?.score).toBeCloseTo(0.75);
    expect(first?.explain).toEqual({
      lexical: { rank: 2, raw: 15, normalised: 0.5, weight: 0.5 },
      dense: { rank: 1, raw: 0.9, normalised: 1, weight: 0.5 },
      fused: 0.75,
    });
    expect(second?.hit.chunkId).toBe('a');
    expect(second?.explain).toEqual({ lexical: { rank: 1, raw: 30, normalised: 1, weight: 0.5 }, fused: 0.5 });
    expect(third?.explain.dense?.normalised).toBeCloseTo(0.5);
  });

  test('one leg alone keeps its order; equal scores stand by chunk id', () => {
    expect(
      fuse(leg(['z', 2], ['y', 1], ['a', 1]), [], { denseWeight: 0.3, limit: 10 }).map((each) => each.hit.chunkId),
    ).toEqual(['z', 'a', 'y']);
    expect(
      fuse([], leg(['z', 0.4], ['y', 0.2]), { denseWeight: 0.3, limit: 10 }).map((each) => each.hit.chunkId),
    ).toEqual(['z', 'y']);
    expect(fuse([], [], { denseWeight: 0.3, limit: 10 })).toEqual([]);
  });

  test('a single dense candidate, or equal ones, count in full', () => {
    expect(fuse([], leg(['a', -0.2]), { denseWeight: 1, limit: 10 })[0]?.score).toBe(1);
    expect(fuse([], leg(['a', 0.3], ['b', 0.3]), { denseWeight: 1, limit: 10 }).map((each) => each.score)).toEqual([
      1, 1,
    ]);
  });

  test('the weaker the best lexical match, the more the dense leg says', () => {
    const dense = leg(['d', 0.8], ['l', 0.2]);
    const options = { denseWeight: 0.3, limit: 10 };
    expect(fuse(leg(['l', 40]), dense, options).map((each) => each.hit.chunkId)).toEqual(['l', 'd']);
    expect(fuse(leg(['l', 3]), dense, options).map((each) => each.hit.chunkId)).toEqual(['d', 'l']);
  });

  test('what a leg cut off counts like its last hit, what it does not have as nothing', () => {
    const [lexical, dense] = [leg(['a', 30], ['b', 24]), leg(['c', 0.9], ['a', 0.1])];
    const scoreOfC = (limit: number): number | undefined =>
      fuse(lexical, dense, { denseWeight: 0.5, limit }).find((each) => each.hit.chunkId === 'c')?.score;
    expect(scoreOfC(10)).toBeCloseTo(0.5);
    expect(scoreOfC(2)).toBeCloseTo(0.5 + 0.5 * 0.8);
  });

  test('every score lies in 0..1, the order is total, every candidate appears once', () => {
    const scores = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0, max: 30 }), fc.double({ min: 0.01, max: 50, noNaN: true })),
      {
        selector: ([id]) => id,
      },
    );
    const toLeg = (pairs: [number, number][], scale: number): IndexHit[] =>
      leg(...pairs.map(([id, score]): [string, number] => [`c${id}`, score * scale]).sort((a, b) => b[1] - a[1]));
    fc.assert(
      fc.property(scores, scores, fc.double({ min: 0, max: 1, noNaN: true }), (some, others, weight) => {
        const lexical = toLeg(some, 1);
        const dense = toLeg(others, 0.02);
        const fused = fuse(lexical, dense, { denseWeight: weight, limit: 25 });
        const ids = new Set([...lexical, ...dense].map((hit) => hit.chunkId));
        expect(fused.map((each) => each.hit.chunkId).sort()).toEqual([...ids].sort());
        for (const [i, each] of fused.entries()) {
          expect(each.score).toBeGreaterThanOrEqual(0);
          expect(each.score).toBeLessThanOrEqual(1 + 1e-9);
          expect(each.explain.fused).toBe(each.score);
          expect(each.score).toBeLessThanOrEqual(fused[i - 1]?.score ?? 2);
        }
      }),
    );
  });
});

describe('fuse by rank', () => {
  test('is reciprocal rank fusion, the first of both legs scoring 1', () => {
    const [first, second, third] = fuseByRank(leg(['a', 9], ['b', 8]), leg(['a', 0.9], ['c', 0.8]), 0.5);
    expect(first).toMatchObject({ hit: { chunkId: 'a' }, score: 1, explain: { fused: 1 } });
    expect(second?.score).toBeCloseTo((0.5 * 61) / 62);
    expect(second?.explain.lexical).toEqual({ rank: 2, raw: 8, normalised: 61 / 62, weight: 0.5 });
    expect([second?.hit.chunkId, third?.hit.chunkId]).toEqual(['b', 'c']);
  });

  test('only ranks count, not scores', () => {
    const order = (scale: number): string[] =>
      fuseByRank(leg(['a', 9 * scale], ['b', scale]), leg(['b', 0.9 * scale], ['c', 0.1 * scale]), 0.4).map(
        ({ hit }) => hit.chunkId,
      );
    expect(order(1)).toEqual(order(50));
  });
});

const pairs = fc.uniqueArray(
  fc.tuple(fc.integer({ min: 0, max: 30 }), fc.double({ min: 0.01, max: 50, noNaN: true })),
  {
    selector: ([id]) => id,
  },
);
const asLeg = (some: [number, number][]): IndexHit[] =>
  leg(...some.map(([id, score]): [string, number] => [`c${id}`, score]).sort((a, b) => b[1] - a[1]));
const ways: [string, (a: IndexHit[], b: IndexHit[], w: number) => { hit: IndexHit; score: number }[]][] = [
  ['convex', (a, b, denseWeight) => fuse(a, b, { denseWeight, limit: 40 })],
  ['rrf', fuseByRank],
];

describe.each(ways)('every fusion: %s', (_, fused) => {
  const weight = fc.double({ min: 0.01, max: 0.99, noNaN: true });

  test('scores lie in 0..1 in falling order, and every candidate comes once', () => {
    fc.assert(
      fc.property(pairs, pairs, weight, (some, others, w) => {
        const made = fused(asLeg(some), asLeg(others), w);
        const ids = new Set([...some, ...others].map(([id]) => `c${id}`));
        expect(made.map(({ hit }) => hit.chunkId).sort()).toEqual([...ids].sort());
        made.forEach(({ score }, i) => {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(Math.min(1 + 1e-9, made[i - 1]?.score ?? 2));
        });
      }),
    );
  });

  test('a hit that stands before another in both legs stands before it in the fusion', () => {
    fc.assert(
      fc.property(pairs, pairs, weight, (some, others, w) => {
        const [lexical, dense] = [asLeg(some), asLeg(others)];
        const place = (hits: IndexHit[], id: string): number => hits.findIndex(({ chunkId }) => chunkId === id);
        const made = fused(lexical, dense, w).map(({ hit }) => hit.chunkId);
        const both = made.filter((id) => place(lexical, id) >= 0 && place(dense, id) >= 0);
        for (const a of both) {
          for (const b of both) {
            const better = (leg: IndexHit[]): boolean =>
              (leg[place(leg, a)]?.score ?? 0) > (leg[place(leg, b)]?.score ?? 0);
            if (better(lexical) && better(dense)) expect(made.indexOf(a)).toBeLessThan(made.indexOf(b));
          }
        }
      }),
    );
  });
});

test('convex: which candidate came in first among equals does not matter', () => {
  const order = (hits: IndexHit[]): string[] =>
    fuse(hits, [], { denseWeight: 0.5, limit: 40 }).map(({ hit }) => hit.chunkId);
  expect(order(leg(['a', 2], ['b', 2], ['c', 2]))).toEqual(order(leg(['c', 2], ['b', 2], ['a', 2])));
});
