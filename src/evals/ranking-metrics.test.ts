import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { meanMetrics, rankingMetrics, type RankedHit } from './ranking-metrics.ts';

const hits = (...ids: string[]): RankedHit[] =>
  ids.map((documentId) => ({ documentId, content: `text of ${documentId}` }));
const items = (...documents: string[]) => documents.map((document) => ({ document }));

describe('figures of a ranking', () => {
  test('worked by hand: relevant at ranks 2 and 4 of three, cut at 5', () => {
    const figures = rankingMetrics(hits('a', 'B', 'c', 'D', 'e', 'F'), items('B', 'D', 'F'), 5);
    expect(figures.precision).toBeCloseTo(2 / 5);
    expect(figures.recall).toBeCloseTo(2 / 3);
    expect(figures.f1).toBeCloseTo((2 * 0.4 * (2 / 3)) / (0.4 + 2 / 3));
    expect(figures.hit1).toBe(0);
    expect(figures.hit).toBe(1);
    expect(figures.mrr).toBe(0.5);
    const ideal = 1 + 1 / Math.log2(3) + 1 / 2;
    expect(figures.ndcg).toBeCloseTo((1 / Math.log2(3) + 1 / Math.log2(5)) / ideal);
  });

  test('what stands below the cut counts for the reciprocal rank alone', () => {
    expect(rankingMetrics(hits('a', 'b', 'C'), items('C'), 2)).toMatchObject({
      hit: 0,
      recall: 0,
      ndcg: 0,
      mrr: 1 / 3,
    });
  });

  test('several passages of a document are one find', () => {
    expect(rankingMetrics(hits('a', 'a', 'a', 'B'), items('B'), 2)).toMatchObject({ hit: 1, mrr: 0.5 });
    expect(rankingMetrics(hits('B', 'B'), items('B', 'c'), 2).precision).toBe(0.5);
  });

  test('a quote tells the places of a document apart', () => {
    const found = [
      { documentId: 'manual', content: 'The gate opens at six.' },
      { documentId: 'manual', content: 'The gate closes at nine.' },
    ];
    const wanted = [{ document: 'manual', quote: 'closes at nine' }];
    expect(rankingMetrics(found, wanted, 1).hit).toBe(0);
    expect(rankingMetrics(found, wanted, 2)).toMatchObject({ hit: 1, precision: 0.5 });
    expect(rankingMetrics(found, [{ document: 'manual', quote: 'never' }], 2)).toMatchObject({ hit: 0, mrr: 0 });
  });

  test('nothing found, nothing wanted', () => {
    expect(rankingMetrics([], items('a'), 10)).toMatchObject({ precision: 0, recall: 0, f1: 0, mrr: 0, ndcg: 0 });
    expect(meanMetrics([])).toMatchObject({ ndcg: 0, hit: 0 });
  });

  test('each lies between 0 and 1, the ideal order is 1, and a better place is never worse', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(ids, ids, fc.integer({ min: 1, max: 12 }), (order, relevant, k) => {
        const wanted = relevant.map((id) => ({ document: `d${id}` }));
        const ranked = hits(...order.map((id) => `d${id}`));
        const figures = rankingMetrics(ranked, wanted, k);
        for (const value of Object.values(figures)) expect(value >= 0 && value <= 1 + 1e-9).toBe(true);
        const ideal = rankingMetrics(hits(...wanted.map(({ document }) => document)), wanted, k);
        expect(ideal).toMatchObject({ hit1: 1, hit: 1, mrr: 1 });
        expect(ideal.ndcg).toBeCloseTo(1);
        // The relevant ones first, otherwise in the same order.
        const is = (hit: RankedHit): boolean => wanted.some(({ document }) => document === hit.documentId);
        const lifted = rankingMetrics([...ranked.filter(is), ...ranked.filter((hit) => !is(hit))], wanted, k);
        expect(lifted.ndcg).toBeGreaterThanOrEqual(figures.ndcg - 1e-9);
        expect(lifted.mrr).toBeGreaterThanOrEqual(figures.mrr);
      }),
    );
  });
});
