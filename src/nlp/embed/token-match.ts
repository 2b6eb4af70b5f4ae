import type { StaticEncoder, TokenVectors } from './static-encoder.ts';

/** How much of a query each text covers, token by token: 0 (nothing) to 1 (every token has its like), one per text. */
export type TokenMatch = (query: string, texts: readonly string[]) => Float32Array;

const MAX_QUERY_TOKENS = 64;

interface QueryTokens {
  /** Share of each token in the query's weight; the shares add up to 1. */
  readonly shares: readonly number[];
  /** Unit rows, one after the other. */
  readonly units: Float32Array;
}

/** The query's distinct tokens, heaviest first when there are more than the limit. */
function queryTokens({ tokens, vectors }: TokenVectors, dimensions: number): QueryTokens {
  const first = new Map(tokens.map((token, at) => [token, at] as const).reverse());
  const weighed = [...first.values()].map((at) => {
    const row = vectors.subarray(at * dimensions, (at + 1) * dimensions);
    return { row, weight: Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) };
  });
  const kept = weighed.sort((a, b) => b.weight - a.weight).slice(0, MAX_QUERY_TOKENS);
  const total = kept.reduce((sum, { weight }) => sum + weight, 0);
  const units = new Float32Array(kept.length * dimensions);
  kept.forEach(({ row, weight }, at) => {
    if (weight > 0)
      units.set(
        row.map((value) => value / weight),
        at * dimensions,
      );
  });
  return { shares: kept.map(({ weight }) => (total > 0 ? weight / total : 0)), units };
}

/**
 * Late interaction over static token vectors (MaxSim after ColBERT, Khattab and Zaharia 2020): each query token takes
 * its best cosine in the text, negative ones count 0, and the cosines are averaged by the tokens' weights.
 *
 * It sees what a mean over a long passage blurs, so it re-orders a short list well; time grows with query tokens times
 * distinct text tokens (about 0.2 ms per passage), so it is not for whole indexes.
 */
export function createTokenMatch(encoder: StaticEncoder): TokenMatch {
  const { dimensions } = encoder;
  return (query, texts) => {
    const { shares, units } = queryTokens(encoder.tokenVectors(query), dimensions);
    /** Cosines of a text token with every query token; texts of one list share most of their tokens. */
    const seen = new Map<string, Float32Array>();
    const cosines = (row: Float32Array): Float32Array => {
      const found = new Float32Array(shares.length);
      let square = 0;
      for (let column = 0; column < dimensions; column += 1) square += (row[column] ?? 0) ** 2;
      const factor = square > 0 ? 1 / Math.sqrt(square) : 0;
      for (let token = 0; token < shares.length; token += 1) {
        const start = token * dimensions;
        let dot = 0;
        for (let column = 0; column < dimensions; column += 1) dot += (row[column] ?? 0) * (units[start + column] ?? 0);
        found[token] = dot * factor;
      }
      return found;
    };

    return Float32Array.from(texts, (text) => {
      const { tokens, vectors } = encoder.tokenVectors(text);
      const best = new Float32Array(shares.length);
      tokens.forEach((token, at) => {
        let near = seen.get(token);
        if (near === undefined) {
          near = cosines(vectors.subarray(at * dimensions, (at + 1) * dimensions));
          seen.set(token, near);
        }
        for (let slot = 0; slot < best.length; slot += 1) best[slot] = Math.max(best[slot] ?? 0, near[slot] ?? 0);
      });
      return Math.min(
        1,
        shares.reduce((sum, share, slot) => sum + share * (best[slot] ?? 0), 0),
      );
    });
  };
}
