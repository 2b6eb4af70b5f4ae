import type { Usage } from '../../spec/usage.ts';

type TokenField = Exclude<keyof Usage, 'basis'>;

/** Every count of a usage; a field that is added to the vocabulary does not compile until it is named here. */
const FIELDS = Object.keys({
  inputTokens: true,
  outputTokens: true,
  cachedInputTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
  audioInputTokens: true,
  audioOutputTokens: true,
  imageInputTokens: true,
  imageOutputTokens: true,
  longCacheWriteTokens: true,
  searchUnits: true,
} satisfies Record<TokenField, true>) as TokenField[];

/**
 * Divides the usage of one call among those who shared it, in proportion to their weights, so that every count
 * adds up exactly (largest remainder method, of equal ones the first).
 *
 * @param weights one positive number per share
 */
export function shareUsage(usage: Usage, weights: readonly number[]): Usage[] {
  const shares = weights.map((): Usage => ({
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    basis: usage.basis,
  }));
  for (const field of FIELDS) {
    const total = usage[field];
    if (total === undefined) continue;
    divide(total, weights).forEach((count, index) => {
      const share = shares[index];
      if (share !== undefined) share[field] = count;
    });
  }
  return shares;
}

/** What two calls used together. */
export function sumUsage(a: Usage, b: Usage): Usage {
  const sum: Usage = { ...a, basis: a.basis === 'reported' ? b.basis : a.basis };
  for (const field of FIELDS) {
    const count = (a[field] ?? 0) + (b[field] ?? 0);
    if (a[field] !== undefined || b[field] !== undefined) sum[field] = count;
  }
  return sum;
}

function divide(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const exact = weights.map((weight) => (total * weight) / sum);
  const counts = exact.map(Math.floor);
  let left = Math.round(total) - counts.reduce((all, count) => all + count, 0);
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder) {
    if (left-- <= 0) break;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}
