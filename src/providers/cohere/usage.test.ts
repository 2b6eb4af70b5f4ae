import { expect, test } from 'bun:test';
import { noUsage } from '../../spec/usage.ts';
import { findUsage } from './usage.ts';

const tokens = { input_tokens: 507, output_tokens: 22 };

test('what is billed is the usage; tokens from the cache are none of it', () => {
  const billed_units = { input_tokens: 12, output_tokens: 20 };
  expect(findUsage({ billed_units, tokens, cached_tokens: 400 })).toEqual({
    ...noUsage('reported'),
    inputTokens: 12,
    outputTokens: 20,
  });
});

test('what was processed is, where nothing is said of bills; the cache served a part of it', () => {
  expect(findUsage({ tokens, cached_tokens: 400 })).toEqual({
    ...noUsage('reported'),
    inputTokens: 507,
    outputTokens: 22,
    cachedInputTokens: 400,
  });
  expect(findUsage({ tokens, cached_tokens: 900 })?.cachedInputTokens).toBe(507);
});

test('searches are counted', () => {
  expect(findUsage({ billed_units: { search_units: 3 } })).toEqual({ ...noUsage('reported'), searchUnits: 3 });
});

test.each([[undefined], [{}], [{ billed_units: {} }], [{ billed_units: { input_tokens: 'many' } }]])(
  '%j tells nothing',
  (holder) => {
    expect(findUsage(holder)).toBeUndefined();
  },
);

test('counts that no call can have do not break sums', () => {
  expect(findUsage({ billed_units: { input_tokens: -3, output_tokens: 1e300 } })).toMatchObject({
    inputTokens: 0,
    outputTokens: 1_000_000_000,
  });
});
