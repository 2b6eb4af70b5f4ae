/** A difference of means and the interval in which it lies with the given confidence. */
export interface Difference {
  mean: number;
  low: number;
  high: number;
}

const RESAMPLES = 2_000;
const CONFIDENCE = 0.95;
/** Draws between two turns of the event loop: about a millisecond. */
const DRAWS_AT_ONCE = 200_000;

/**
 * The mean of `after - before` over the same cases, with a percentile bootstrap interval (Efron and Tibshirani, "An
 * Introduction to the Bootstrap", chapter 13): cases are drawn with replacement, so that what makes a case hard counts
 * on both sides alike. The same differences give the same interval.
 */
export async function pairedBootstrap(differences: readonly number[]): Promise<Difference> {
  const count = differences.length;
  if (count === 0) return { mean: 0, low: 0, high: 0 };
  const mean = differences.reduce((sum, each) => sum + each, 0) / count;
  const random = seeded(count);
  const means = new Float64Array(RESAMPLES);
  let drawn = 0;
  for (let sample = 0; sample < RESAMPLES; sample++) {
    let sum = 0;
    for (let draw = 0; draw < count; draw++) sum += differences[Math.floor(random() * count)] ?? 0;
    means[sample] = sum / count;
    drawn += count;
    if (drawn < DRAWS_AT_ONCE) continue;
    drawn = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  means.sort();
  const at = (share: number): number => means[Math.min(RESAMPLES - 1, Math.floor(share * RESAMPLES))] ?? mean;
  return { mean, low: at((1 - CONFIDENCE) / 2), high: at((1 + CONFIDENCE) / 2) };
}

/** Mulberry32: 32 bits of state are plenty for resampling, and the same seed gives the same figures. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
