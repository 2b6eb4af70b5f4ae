import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { shareUsage, sumUsage } from './share-usage.ts';

describe('shares of a usage', () => {
  test('in proportion, the rest to the largest remainders', () => {
    const usage = { ...noUsage('reported'), inputTokens: 10, cachedInputTokens: 2, searchUnits: 1 };
    const shares = shareUsage(usage, [1, 1, 2]);
    expect(shares.map(({ inputTokens }) => inputTokens)).toEqual([3, 2, 5]);
    expect(shares.map(({ cachedInputTokens }) => cachedInputTokens)).toEqual([1, 0, 1]);
    expect(shares.map(({ searchUnits }) => searchUnits)).toEqual([0, 0, 1]);
    expect(shares.every(({ basis }) => basis === 'reported')).toBe(true);
  });

  test('whatever the weights, every count adds up exactly and no share is off by a whole', () => {
    const count = fc.nat({ max: 1_000_000 });
    const weights = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(count, count, weights, (inputTokens, cacheWriteTokens, given) => {
        const usage: Usage = { ...noUsage(), inputTokens, cacheWriteTokens };
        const shares = shareUsage(usage, given);
        const sum = shares.reduce(sumUsage, noUsage());
        expect(sum).toEqual(usage);
        const all = given.reduce((total, weight) => total + weight, 0);
        shares.forEach((share, index) => {
          expect(Math.abs(share.inputTokens - (inputTokens * (given[index] ?? 0)) / all)).toBeLessThan(1);
        });
      }),
    );
  });

  test('two usages together: what one has and the other lacks stays', () => {
    const a: Usage = { ...noUsage('reported'), inputTokens: 1, searchUnits: 2 };
    const b: Usage = { ...noUsage('estimated'), inputTokens: 3, audioInputTokens: 4 };
    const sum = { ...noUsage('estimated'), inputTokens: 4, searchUnits: 2, audioInputTokens: 4 };
    expect(sumUsage(a, b)).toEqual(sum);
    expect(sumUsage(b, a)).toEqual(sum);
  });
});
