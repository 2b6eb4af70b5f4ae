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
const BLOCK_TOKENS = 12;
/** The leading dimensions hold most of a vector's length, and order as well as all of them at half the price. */
const LEADING_DIMENSIONS = 128;
/** Above 1, the rare tokens of a query say more than their weight in a mean. */
const SHARE_POWER = 1.5;

/**
 * Late interaction over static token vectors (MaxSim after ColBERT, Khattab and Zaharia 2020) within a place of a text:
 * each query token takes its best cosine among the tokens of the place and of the title, negative ones count 0, and the
 * cosines are averaged by the tokens' weights. The best place of a text counts.
 *
 * It sees what a mean over a long passage blurs, so it re-orders a short list well; time grows with query tokens times
 * distinct text tokens (0.1 to 0.2 ms per passage), so it is not for whole indexes.
 */
export function createTokenMatch(table: TokenTable): TokenMatch {
  const leading = Math.min(table.dimensions, LEADING_DIMENSIONS);
  /** Of a row here: the leading dimensions, and zeros up to a multiple of four. */
  const width = Math.ceil(leading / 4) * 4;

  /** Writes the leading dimensions of a row, at length 1, and gives the length of the whole row. */
  const unitInto = (token: number, row: Float32Array, target: Float32Array, start: number): number => {
    const weight = table.rowInto(token, row, 0);
    let square = 0;
    for (let column = 0; column < leading; column += 1) square += (row[column] ?? 0) ** 2;
    const factor = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let column = 0; column < leading; column += 1) target[start + column] = (row[column] ?? 0) * factor;
    return weight;
  };

  /** Unit rows of the query's distinct tokens, heaviest first, and the share of each in the query's weight. */
  const readQuery = (query: string, row: Float32Array): { units: Float32Array; shares: Float32Array } => {
    const weighed = [...new Set(table.rowsOf(query))]
      .map((token) => ({ token, weight: table.rowInto(token, row, 0) ** SHARE_POWER }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight)
      .slice(0, MAX_QUERY_TOKENS);
    const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
    const units = new Float32Array(weighed.length * width);
    weighed.forEach(({ token }, slot) => unitInto(token, row, units, slot * width));
    return { units, shares: Float32Array.from(weighed, ({ weight }) => weight / total) };
  };

  return (query, texts) => {
    const row = new Float32Array(table.dimensions);
    const { units, shares } = readQuery(query, row);
    const slots = shares.length;
    const unit = new Float32Array(width);
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
      unitInto(token, row, unit, 0);
      for (let slot = 0; slot < slots; slot += 1) {
        const start = slot * width;
        let first = 0;
        let second = 0;
        let third = 0;
        let fourth = 0;
        // Four sums that do not wait for one another.
        for (let column = 0, other = start; column < width; column += 4, other += 4) {
          first += (unit[column] ?? 0) * (units[other] ?? 0);
          second += (unit[column + 1] ?? 0) * (units[other + 1] ?? 0);
          third += (unit[column + 2] ?? 0) * (units[other + 2] ?? 0);
          fourth += (unit[column + 3] ?? 0) * (units[other + 3] ?? 0);
        }
        cosines[at + slot] = first + second + third + fourth;
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
