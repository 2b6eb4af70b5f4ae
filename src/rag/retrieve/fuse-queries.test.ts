import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { FusedHit } from './fuse.ts';
import { fuseQueries } from './fuse-queries.ts';

const hits = (...scores: [string, number][]): FusedHit[] =>
  scores.map(([chunkId, score]) => ({
    hit: { chunkId, documentId: chunkId, start: 0, end: 1, headingPath: [], score },
    score,
    explain: { fused: score, lexical: { rank: 1, raw: score, normalised: score, weight: 1 } },
  }));

test('one query stays as it is', () => {
  const only = hits(['a', 0.9], ['b', 0.2]);
  expect(fuseQueries([{ query: 'q', weight: 0.3, hits: only }])).toEqual(only);
  expect(fuseQueries([])).toEqual([]);
});

test('scores are the mean by weight, and each query says what it made of a hit', () => {
  const fused = fuseQueries([
    { query: 'q', weight: 1, hits: hits(['a', 0.9], ['b', 0.5]) },
    { query: 'other', weight: 0.5, hits: hits(['b', 1]) },
  ]);
  expect(fused.map(({ hit, score }) => [hit.chunkId, Number(score.toFixed(4))])).toEqual([
    ['b', 0.6667],
    ['a', 0.6],
  ]);
  expect(fused[0]?.explain.queries?.map(({ query, weight, fused: score }) => [query, weight, score])).toEqual([
    ['q', 1, 0.5],
    ['other', 0.5, 1],
  ]);
  expect(fused[0]?.explain.fused).toBe(fused[0]?.score ?? 0);
});

test('the order of the queries does not change the order of the hits', () => {
  const query = fc.record({
    weight: fc.double({ min: 0.1, max: 2, noNaN: true }),
    scores: fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.double({ min: 0, max: 1, noNaN: true })), {
      selector: ([id]) => id,
    }),
  });
  fc.assert(
    fc.property(fc.array(query, { minLength: 2, maxLength: 4 }), (some) => {
      const asked = some.map(({ weight, scores }, at) => ({ query: `q${at}`, weight, hits: hits(...scores) }));
      const told = (found: FusedHit[]): string[] => found.map(({ hit, score }) => `${hit.chunkId} ${score.toFixed(6)}`);
      expect(told(fuseQueries(asked)).sort()).toEqual(told(fuseQueries(asked.toReversed())).sort());
    }),
  );
});
