import type { Usage } from './usage.ts';

/** Micro-dollars: an integer millionth of a US dollar. */
export type Micros = number;

/** Dollars per million tokens, as price lists state them. A part without a rate of its own costs what its whole costs. */
export interface Rates {
  inputPerMillion: number;
  outputPerMillion: number;
  cachedInputPerMillion?: number;
  cacheWritePerMillion?: number;
  /** Cache written for an hour; absent: as any cache write. */
  longCacheWritePerMillion?: number;
  audioInputPerMillion?: number;
  audioOutputPerMillion?: number;
  imageInputPerMillion?: number;
  imageOutputPerMillion?: number;
}

/** Rates that hold for the whole of a call whose prompt is longer than `aboveInputTokens`. */
export interface LongPromptRates extends Rates {
  aboveInputTokens: number;
}

export interface Price extends Rates {
  /** Dollars per thousand searches, which rerank calls are billed by. */
  perThousandSearches?: number;
  /** In rising order of their thresholds. */
  longPrompts?: readonly LongPromptRates[];
}

/** The kinds of use that a bill is made of. No token is in two of them. */
export interface CostParts {
  input: number;
  cachedInput: number;
  cacheWrite: number;
  longCacheWrite: number;
  audioInput: number;
  imageInput: number;
  output: number;
  audioOutput: number;
  imageOutput: number;
  searches: number;
}

/**
 * The cost of `usage` in integer micro-dollars: the sum of its parts, rounded once, up, at the end.
 * Never negative; where rates rise with the length of the prompt, never less for more tokens.
 */
export function costMicros(usage: Usage, price: Price): Micros {
  const parts = costParts(usage, price);
  const micros =
    parts.input +
    parts.cachedInput +
    parts.cacheWrite +
    parts.longCacheWrite +
    parts.audioInput +
    parts.imageInput +
    parts.output +
    parts.audioOutput +
    parts.imageOutput +
    parts.searches;
  // What binary fractions add is taken back before rounding up: 0.1 * 30 must not become 4, and -0 not be stored.
  return Math.ceil(micros - Math.max(1e-6, micros * 1e-12)) || 0;
}

/**
 * The parts of the cost, in micro-dollars with fractions. A dollar per million tokens is a micro-dollar per
 * token, so each part is one multiplication. Upstreams that count one token in two parts (cached audio) are
 * charged for it in the first: parts are taken off the whole in the order cached, written, audio, image.
 */
export function costParts(usage: Usage, price: Price): CostParts {
  const rates = ratesFor(usage.inputTokens, price);
  let input = atLeastZero(usage.inputTokens);
  const cached = Math.min(atLeastZero(usage.cachedInputTokens), input);
  input -= cached;
  const written = Math.min(atLeastZero(usage.cacheWriteTokens), input);
  input -= written;
  const longWritten = Math.min(atLeastZero(usage.longCacheWriteTokens), written);
  const audioIn = Math.min(atLeastZero(usage.audioInputTokens), input);
  input -= audioIn;
  const imageIn = Math.min(atLeastZero(usage.imageInputTokens), input);
  input -= imageIn;
  let output = atLeastZero(usage.outputTokens);
  const audioOut = Math.min(atLeastZero(usage.audioOutputTokens), output);
  output -= audioOut;
  const imageOut = Math.min(atLeastZero(usage.imageOutputTokens), output);
  output -= imageOut;
  const { inputPerMillion, outputPerMillion } = rates;
  const writeRate = rates.cacheWritePerMillion ?? inputPerMillion;
  return {
    input: input * inputPerMillion,
    cachedInput: cached * (rates.cachedInputPerMillion ?? inputPerMillion),
    cacheWrite: (written - longWritten) * writeRate,
    longCacheWrite: longWritten * (rates.longCacheWritePerMillion ?? writeRate),
    audioInput: audioIn * (rates.audioInputPerMillion ?? inputPerMillion),
    imageInput: imageIn * (rates.imageInputPerMillion ?? inputPerMillion),
    output: output * outputPerMillion,
    audioOutput: audioOut * (rates.audioOutputPerMillion ?? outputPerMillion),
    imageOutput: imageOut * (rates.imageOutputPerMillion ?? outputPerMillion),
    searches: atLeastZero(usage.searchUnits) * (price.perThousandSearches ?? 0) * 1_000,
  };
}

/** The rates for a prompt of this length: of the highest threshold that it goes beyond. */
function ratesFor(inputTokens: number, price: Price): Rates {
  let rates: Rates = price;
  for (const long of price.longPrompts ?? []) if (inputTokens > long.aboveInputTokens) rates = long;
  return rates;
}

function atLeastZero(count: number | undefined): number {
  return count !== undefined && count > 0 ? count : 0;
}

/** Micro-dollars as a decimal dollar string of six places: 1234 -> "0.001234". */
export function dollars(micros: Micros): string {
  return (micros / 1_000_000).toFixed(6);
}
