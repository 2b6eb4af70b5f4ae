import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { costMicros } from '../spec/money.ts';
import { noUsage } from '../spec/usage.ts';
import { readPrices } from './prices.ts';

const prices = readPrices(join(import.meta.dirname, '../..'));

describe('the price list', () => {
  test('a dated or latest version of a model has the price of the model', () => {
    const plain = prices.priceOf('openai', 'gpt-4o-mini');
    expect(plain).toBeDefined();
    expect(prices.priceOf('openai', 'gpt-4o-mini-2024-07-18')).toEqual(plain);
    expect(prices.priceOf('anthropic', 'claude-sonnet-4-5-20250929')).toEqual(prices.priceOf('anthropic', 'claude-sonnet-4-5'));
    expect(prices.priceOf('mistral', 'mistral-large-latest')).toBeDefined();
  });

  test('an unknown model has no price, and neither has a known one of another provider', () => {
    expect(prices.priceOf('openai', 'gpt-unheard-of')).toBeUndefined();
    expect(prices.priceOf('my-vllm', 'gpt-4o-mini')).toBeUndefined();
  });

  test('C2: cached and cache-write tokens are priced once, at their own rate', () => {
    const price = prices.priceOf('anthropic', 'claude-sonnet-4-5');
    if (price === undefined) throw new Error('the list lacks the model');
    const usage = { ...noUsage('reported'), inputTokens: 10_000, cachedInputTokens: 6_000, cacheWriteTokens: 2_000, outputTokens: 500 };
    // 2,000 plain at $3, 6,000 read at $0.30, 2,000 written at $3.75, 500 out at $15.
    expect(costMicros(usage, price)).toBe(6_000 + 1_800 + 7_500 + 7_500);
  });

  test('a bill is rounded up to a whole micro-dollar, once, and binary fractions do not add one', () => {
    const price = { inputPerMillion: 0.1, outputPerMillion: 0 };
    expect(costMicros({ ...noUsage(), inputTokens: 30 }, price)).toBe(3);
    expect(costMicros({ ...noUsage(), inputTokens: 31 }, price)).toBe(4);
  });
});
