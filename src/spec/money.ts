import type { Usage } from './usage.ts';

/** Micro-dollars: an integer millionth of a US dollar. */
export type Micros = number;

/** Dollars per million tokens, as price lists state them. */
export interface Price {
  inputPerMillion: number;
  outputPerMillion: number;
  cachedInputPerMillion?: number;
  cacheWritePerMillion?: number;
}

/**
 * The cost of `usage` in integer micro-dollars. A dollar per million tokens is a micro-dollar per token,
 * so the sum is one multiplication per kind of token, rounded once, up, at the end.
 * Cached and cache-write tokens are part of the input and are priced once, at their own rate.
 */
export function costMicros(usage: Usage, price: Price): Micros {
  const special = usage.cachedInputTokens + usage.cacheWriteTokens;
  const plainInput = Math.max(0, usage.inputTokens - special);
  const micros =
    plainInput * price.inputPerMillion +
    usage.cachedInputTokens * (price.cachedInputPerMillion ?? price.inputPerMillion) +
    usage.cacheWriteTokens * (price.cacheWritePerMillion ?? price.inputPerMillion) +
    usage.outputTokens * price.outputPerMillion;
  // 1e-6 takes back what binary fractions add before rounding up: 0.1 * 30 must not become 4.
  return Math.ceil(micros - 1e-6);
}

/** Micro-dollars as a decimal dollar string of six places: 1234 -> "0.001234". */
export function dollars(micros: Micros): string {
  return (micros / 1_000_000).toFixed(6);
}
