import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { costMicros, costParts, dollars, type Price } from './money.ts';
import { noUsage, type Usage } from './usage.ts';

const count = fc.integer({ min: 0, max: 2_000_000 });
const rate = fc.double({ min: 0, max: 200, noNaN: true });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Usage as upstreams report it, its parts perhaps larger than the whole. */
const usages: fc.Arbitrary<Usage> = fc
  .record({
    inputTokens: count,
    outputTokens: count,
    cachedInputTokens: count,
    cacheWriteTokens: count,
    reasoningTokens: count,
    longCacheWriteTokens: maybe(count),
    audioInputTokens: maybe(count),
    audioOutputTokens: maybe(count),
    imageInputTokens: maybe(count),
    imageOutputTokens: maybe(count),
    searchUnits: maybe(fc.integer({ min: 0, max: 100 })),
  })
  .map((counts) => ({ ...noUsage('reported'), ...given(counts) }));

const prices: fc.Arbitrary<Price> = fc
  .record({
    inputPerMillion: rate,
    outputPerMillion: rate,
    cachedInputPerMillion: maybe(rate),
    cacheWritePerMillion: maybe(rate),
    longCacheWritePerMillion: maybe(rate),
    audioInputPerMillion: maybe(rate),
    audioOutputPerMillion: maybe(rate),
    imageInputPerMillion: maybe(rate),
    imageOutputPerMillion: maybe(rate),
    perThousandSearches: maybe(rate),
    factor: fc.double({ min: 1, max: 3, noNaN: true }),
    aboveInputTokens: count,
  })
  .map(({ factor, aboveInputTokens, perThousandSearches, ...rates }) => {
    const known = given(rates);
    const long = Object.fromEntries(Object.entries(known).map(([name, value]) => [name, Number(value) * factor]));
    return {
      ...known,
      ...given({ perThousandSearches }),
      longPrompts: [{ ...known, ...long, aboveInputTokens }],
    };
  });

function given<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

const sum = (parts: object) => Object.values(parts).reduce<number>((total, part) => total + Number(part), 0);

describe('C2: what a call costs', () => {
  test('is the sum of its parts, rounded up once, and never negative', () => {
    fc.assert(
      fc.property(usages, prices, (usage, price) => {
        const parts = costParts(usage, price);
        for (const part of Object.values(parts)) expect(part).toBeGreaterThanOrEqual(0);
        const cost = costMicros(usage, price);
        expect(Number.isSafeInteger(cost) && !Object.is(cost, -0)).toBe(true);
        expect(Math.abs(cost - sum(parts))).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('prices each token once: at one and the same rate it is the whole that counts', () => {
    fc.assert(
      fc.property(usages, fc.integer({ min: 1, max: 50 }), (usage, each) => {
        const flat = { inputPerMillion: each, outputPerMillion: each };
        expect(costMicros(usage, flat)).toBe((usage.inputTokens + usage.outputTokens) * each);
      }),
    );
  });

  test('does not fall when more is used of any kind', () => {
    const kinds = [
      ['inputTokens'],
      ['inputTokens', 'cachedInputTokens'],
      ['inputTokens', 'cacheWriteTokens'],
      ['inputTokens', 'cacheWriteTokens', 'longCacheWriteTokens'],
      ['inputTokens', 'audioInputTokens'],
      ['inputTokens', 'imageInputTokens'],
      ['outputTokens'],
      ['outputTokens', 'reasoningTokens'],
      ['outputTokens', 'audioOutputTokens'],
      ['outputTokens', 'imageOutputTokens'],
      ['searchUnits'],
    ] as const;
    /** Parts within their whole, as the decoders give them. */
    const sound = (usage: Usage): Usage => ({
      ...usage,
      longCacheWriteTokens: Math.min(usage.longCacheWriteTokens ?? 0, usage.cacheWriteTokens),
      inputTokens:
        usage.inputTokens +
        usage.cachedInputTokens +
        usage.cacheWriteTokens +
        (usage.audioInputTokens ?? 0) +
        (usage.imageInputTokens ?? 0),
      outputTokens: usage.outputTokens + (usage.audioOutputTokens ?? 0) + (usage.imageOutputTokens ?? 0),
    });
    fc.assert(
      fc.property(usages, prices, fc.constantFrom(...kinds), count, (any, price, kind, more) => {
        const usage = sound(any);
        const grown = { ...usage };
        for (const name of kind) grown[name] = (grown[name] ?? 0) + more;
        expect(costMicros(grown, price)).toBeGreaterThanOrEqual(costMicros(usage, price));
      }),
    );
  });

  test('a long prompt has its own rates for the whole call, from the first token beyond', () => {
    const price: Price = {
      inputPerMillion: 1,
      outputPerMillion: 10,
      cachedInputPerMillion: 0.1,
      longPrompts: [
        { aboveInputTokens: 1_000, inputPerMillion: 2, outputPerMillion: 15, cachedInputPerMillion: 0.2 },
        { aboveInputTokens: 2_000, inputPerMillion: 4, outputPerMillion: 20 },
      ],
    };
    const cost = (inputTokens: number) =>
      costMicros({ ...noUsage('reported'), inputTokens, cachedInputTokens: 100, outputTokens: 10 }, price);
    expect(cost(1_000)).toBe(900 + 10 + 100);
    expect(cost(1_001)).toBe(901 * 2 + 20 + 150);
    expect(cost(2_001)).toBe(2_001 * 4 + 200);
  });

  test('searches cost by the thousand', () => {
    const price = { inputPerMillion: 0, outputPerMillion: 0, perThousandSearches: 2.5 };
    expect(costMicros({ ...noUsage('reported'), searchUnits: 3 }, price)).toBe(7_500);
  });

  test('is written with six places', () => {
    expect(dollars(1_234)).toBe('0.001234');
    expect(dollars(0)).toBe('0.000000');
  });
});
