import type { TokenTable } from '../../ports/text-analyser.ts';
import { readStaticModel } from './read-static-model.ts';
import { createStaticTokenizer, type RowSink } from './static-tokenizer.ts';

/** Turns text into vectors by a table of token vectors; no network, no state but a bounded cache of words. */
export interface StaticEncoder extends TokenTable {
  /** Name of the model, as its file gives it. */
  readonly id: string;
  readonly dimensions: number;
  /** Changes whenever any byte of the model does; goes into an index's version. */
  readonly fingerprint: string;
  /** Unit vector of `dimensions` floats; all zeros when no token of the text is known. */
  encode(text: string): Float32Array;
  /** The same vector written into `target` from `offset` on; gives the tokens of the text. */
  encodeInto(text: string, target: Float32Array, offset: number): number;
  /** What a row of the table stands for. */
  entryOf(row: number): string;
  /** Tokens of this model's own vocabulary, not of any language model's. */
  countTokens(text: string): number;
}

const KEPT_ROWS = 65_536;

/**
 * Encoder over the bytes of a model file (layout: models/static-en-ja/README.md), which stay in use and unchanged.
 *
 * A text's vector is the sum of its tokens' rows, each times the root of how often it occurs, scaled to length 1
 * (static embeddings after Model2Vec, Minish 2024; the root keeps a repeated word from ruling a long passage). The
 * sum runs over the packed nibbles; their offset of 8 is taken off once at the end. Any string is safe, lone
 * surrogates and NUL included. Time is linear in the length of the text. Throws RangeError on damaged bytes.
 */
export function createStaticEncoder(bytes: Uint8Array): StaticEncoder {
  const { id, dimensions, entries, costs, scales, nibbles, fingerprint } = readStaticModel(bytes);
  const tokenizer = createStaticTokenizer(entries, costs);
  const half = dimensions / 2;
  const sink: RowSink = { rows: new Int32Array(1024) };
  const sums = new Float64Array(dimensions);
  /** How often each row occurs in the text at hand; all zeros between calls. */
  const counts = new Uint32Array(entries.length);

  /** Adds `weight` times the row to `sums`, without the offset of its nibbles; gives the factor used. */
  const add = (row: number, weight: number): number => {
    const scale = weight * (scales[row] ?? 0);
    const start = row * half;
    for (let pair = 0, column = 0; pair < half; pair += 1, column += 2) {
      const byte = nibbles[start + pair] ?? 0;
      sums[column] = (sums[column] ?? 0) + scale * (byte & 15);
      sums[column + 1] = (sums[column + 1] ?? 0) + scale * (byte >> 4);
    }
    return scale;
  };

  /** Rows of `text` in `sink.rows`; a buffer that a very long text widened is given back before the next one. */
  const cut = (text: string): number => {
    if (sink.rows.length > KEPT_ROWS) sink.rows = new Int32Array(1024);
    return tokenizer.tokenize(text, sink);
  };

  const encodeInto = (text: string, target: Float32Array, start: number): number => {
    const count = cut(text);
    sums.fill(0);
    let scaled = 0;
    for (let at = 0; at < count; at += 1) {
      const row = sink.rows[at] ?? 0;
      counts[row] = (counts[row] ?? 0) + 1;
    }
    for (let at = 0; at < count; at += 1) {
      const row = sink.rows[at] ?? 0;
      const times = counts[row] ?? 0;
      if (times === 0) continue;
      counts[row] = 0;
      scaled += add(row, Math.sqrt(times));
    }
    const offset = 8 * scaled;
    let square = 0;
    for (let column = 0; column < dimensions; column += 1) {
      const value = (sums[column] ?? 0) - offset;
      sums[column] = value;
      square += value * value;
    }
    const factor = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let column = 0; column < dimensions; column += 1) target[start + column] = (sums[column] ?? 0) * factor;
    return count;
  };

  return {
    id,
    dimensions,
    fingerprint,
    encode(text) {
      const vector = new Float32Array(dimensions);
      encodeInto(text, vector, 0);
      return vector;
    },
    encodeInto,
    rowsOf: (text) => {
      const count = cut(text);
      return sink.rows.slice(0, count);
    },
    rowInto(row, target, start) {
      const scale = scales[row] ?? 0;
      let square = 0;
      for (let pair = row * half, column = start; pair < (row + 1) * half; pair += 1, column += 2) {
        const byte = nibbles[pair] ?? 0;
        const first = (byte & 15) - 8;
        const second = (byte >> 4) - 8;
        square += first * first + second * second;
        target[column] = scale * first;
        target[column + 1] = scale * second;
      }
      return scale * Math.sqrt(square);
    },
    entryOf: (row) => entries[row] ?? '',
    countTokens: cut,
  };
}
