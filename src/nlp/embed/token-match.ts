import type { TokenTable } from '../../ports/text-analyser.ts';

/** A text with the title it stands under, which holds for every part of it. */
export interface TitledText {
  title: string;
  text: string;
}

/**
 * How much of a query the best place of each text covers, token by token: 0 (nothing) to 1 (every token has its like),
 * one per text.
 */
export type TokenMatch = (query: string, texts: readonly TitledText[]) => Float32Array;

const MAX_QUERY_TOKENS = 48;
const MAX_TEXT_TOKENS = 2_048;
/** A place is two blocks that follow each other: about two sentences, wherever they begin. */
const BLOCK_TOKENS = 16;

/**
 * Late interaction over static token vectors (MaxSim after ColBERT, Khattab and Zaharia 2020) within a place of a text:
 * each query token takes its best cosine among the tokens of the place and of the title, negative ones count 0, and the
 * cosines are averaged by the tokens' weights. The best place of a text counts.
 *
 * It sees what a mean over a long passage blurs, so it re-orders a short list well; time grows with query tokens times
 * distinct text tokens (0.1 to 0.2 ms per passage), so it is not for whole indexes.
 */
export function createTokenMatch(table: TokenTable): TokenMatch {
  const { dimensions } = table;

  /** Unit rows of the query's distinct tokens, heaviest first, and the share of each in the query's weight. */
  const readQuery = (query: string): { units: Float32Array; shares: Float32Array } => {
    const row = new Float32Array(dimensions);
    const weighed = [...new Set(table.rowsOf(query))]
      .map((token) => ({ token, weight: table.rowInto(token, row, 0) }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight)
      .slice(0, MAX_QUERY_TOKENS);
    const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
    const units = new Float32Array(weighed.length * dimensions);
    weighed.forEach(({ token, weight }, slot) => {
      const start = slot * dimensions;
      table.rowInto(token, units, start);
      for (let column = start; column < start + dimensions; column += 1) units[column] = (units[column] ?? 0) / weight;
    });
    return { units, shares: Float32Array.from(weighed, ({ weight }) => weight / total) };
  };

  return (query, texts) => {
    const { units, shares } = readQuery(query);
    const slots = shares.length;
    const row = new Float32Array(dimensions);
    /** Where the cosines of a token with every query token begin; texts of one list share most of their tokens. */
    const seen = new Map<number, number>();
    let cosines = new Float32Array(1024 * Math.max(1, slots));

    const cosinesOf = (token: number): number => {
      const known = seen.get(token);
      if (known !== undefined) return known;
      const at = seen.size * slots;
      if (at + slots > cosines.length) {
        const wider = new Float32Array(2 * cosines.length);
        wider.set(cosines);
        cosines = wider;
      }
      const weight = table.rowInto(token, row, 0);
      const factor = weight > 0 ? 1 / weight : 0;
      for (let slot = 0; slot < slots; slot += 1) {
        const start = slot * dimensions;
        let even = 0;
        let odd = 0;
        for (let column = 0; column < dimensions; column += 2) {
          even += (row[column] ?? 0) * (units[start + column] ?? 0);
          odd += (row[column + 1] ?? 0) * (units[start + column + 1] ?? 0);
        }
        cosines[at + slot] = (even + odd) * factor;
      }
      seen.set(token, at);
      return at;
    };

    /** The best cosine of each query token among the tokens from `from` to `to`. */
    const bestOf = (tokens: Int32Array, from: number, to: number): Float32Array => {
      const best = new Float32Array(slots);
      for (let at = from; at < to; at += 1) {
        const start = cosinesOf(tokens[at] ?? 0);
        for (let slot = 0; slot < slots; slot += 1) {
          const cosine = cosines[start + slot] ?? 0;
          if (cosine > (best[slot] ?? 0)) best[slot] = cosine;
        }
      }
      return best;
    };

    return Float32Array.from(texts, ({ title, text }) => {
      const titleRows = table.rowsOf(title);
      const titleBest = bestOf(titleRows, 0, Math.min(titleRows.length, MAX_TEXT_TOKENS));
      const tokens = table.rowsOf(text);
      const length = Math.min(tokens.length, MAX_TEXT_TOKENS);
      let before = titleBest;
      let covered = 0;
      for (let from = 0; from === 0 || from < length; from += BLOCK_TOKENS) {
        const here = bestOf(tokens, from, Math.min(length, from + BLOCK_TOKENS));
        let sum = 0;
        for (let slot = 0; slot < slots; slot += 1) {
          sum += (shares[slot] ?? 0) * Math.max(here[slot] ?? 0, before[slot] ?? 0, titleBest[slot] ?? 0);
        }
        covered = Math.max(covered, sum);
        before = here;
      }
      return Math.min(1, covered);
    });
  };
}
