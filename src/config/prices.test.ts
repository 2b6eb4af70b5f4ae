import { describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { costMicros } from '../spec/money.ts';
import { noUsage } from '../spec/usage.ts';
import { readPrices } from './prices.ts';

const root = join(import.meta.dirname, '../..');
const prices = readPrices(root);

describe('the price list', () => {
  test('a dated or latest version of a model has the price of the model', () => {
    const plain = prices.priceOf('openai', 'gpt-4o-mini');
    expect(plain).toBeDefined();
    expect(prices.priceOf('openai', 'gpt-4o-mini-2024-07-18')).toEqual(plain);
    expect(prices.priceOf('anthropic', 'claude-sonnet-4-5-20250929')).toEqual(
      prices.priceOf('anthropic', 'claude-sonnet-4-5'),
    );
    expect(prices.priceOf('mistral', 'mistral-small-latest')).toBeDefined();
  });

  test('a version with a price of its own keeps it', () => {
    expect(prices.priceOf('openai', 'gpt-4o-2024-05-13')?.inputPerMillion).toBe(5);
    expect(prices.priceOf('openai', 'gpt-4o-2024-08-06')?.inputPerMillion).toBe(2.5);
  });

  test('a price that rises on a day rises at the start of that day in UTC', () => {
    const costAt = (time: string) => {
      const book = readPrices(root, { nowMs: () => Date.parse(time) });
      const price = book.priceOf('gemini', 'gemini-3.8-flash');
      return price && costMicros({ ...noUsage(), inputTokens: 1_000_000, outputTokens: 1_000_000 }, price);
    };
    expect(costAt('2026-12-31T23:59:59.999Z')).toBe(4_500_000);
    expect(costAt('2027-01-01T00:00:00Z')).toBe(9_000_000);
  });

  test('a model is listed once, with its kinds and its window', () => {
    const models = prices.modelsOf('gemini');
    expect(models.filter(({ model }) => model === 'gemini-3.8-flash')).toEqual([
      { model: 'gemini-3.8-flash', kinds: ['chat'], contextTokens: 1_000_000 },
    ]);
    expect(models).toContainEqual({ model: 'gemini-embedding-2', kinds: ['embedding'], contextTokens: 8_192 });
    expect(prices.modelsOf('nobody')).toEqual([]);
  });

  test('a list with two prices for the same model and day is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sekisho-prices-'));
    try {
      const list = JSON.parse(readFileSync(join(root, 'prices/prices.json'), 'utf8'));
      mkdirSync(join(folder, 'prices'));
      writeFileSync(
        join(folder, 'prices/prices.json'),
        JSON.stringify({ ...list, models: [...list.models, list.models[0]] }),
      );
      expect(() => readPrices(folder)).toThrow('two prices');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('an unknown model has no price, and neither has a known one of another provider', () => {
    expect(prices.priceOf('openai', 'gpt-unheard-of')).toBeUndefined();
    expect(prices.priceOf('my-vllm', 'gpt-4o-mini')).toBeUndefined();
  });

  test('C2: cached and cache-write tokens are priced once, at their own rate', () => {
    const price = prices.priceOf('anthropic', 'claude-sonnet-4-5');
    if (price === undefined) throw new Error('the list lacks the model');
    const usage = {
      ...noUsage('reported'),
      inputTokens: 10_000,
      cachedInputTokens: 6_000,
      cacheWriteTokens: 2_000,
      outputTokens: 500,
    };
    // 2,000 plain at $3, 6,000 read at $0.30, 2,000 written at $3.75, 500 out at $15.
    expect(costMicros(usage, price)).toBe(6_000 + 1_800 + 7_500 + 7_500);
  });

  test('a bill is rounded up to a whole micro-dollar, once, and binary fractions do not add one', () => {
    const price = { inputPerMillion: 0.1, outputPerMillion: 0 };
    expect(costMicros({ ...noUsage(), inputTokens: 30 }, price)).toBe(3);
    expect(costMicros({ ...noUsage(), inputTokens: 31 }, price)).toBe(4);
  });
});
