import type { Pooling } from './model-folder.ts';

/** What a model gives: a vector per token, shape [texts, tokens, width], or one per text, [texts, width]. */
export interface TokenVectors {
  data: Float32Array;
  shape: readonly number[];
}

/** The unit vector of one text of a run; `length` counts its tokens without padding. */
export function pooled(
  { data, shape }: TokenVectors,
  { row, length }: { row: number; length: number },
  pooling: Pooling,
): Float32Array {
  const width = shape.at(-1) ?? 0;
  const tokens = shape.length === 3 ? (shape[1] ?? 1) : 1;
  const start = row * tokens * width;
  const tokenAt = (token: number): Float32Array => data.slice(start + token * width, start + (token + 1) * width);
  if (tokens === 1 || pooling === 'cls') return unit(tokenAt(0));
  if (pooling === 'last') return unit(tokenAt(length - 1));
  const sum = new Float32Array(width);
  for (let token = 0; token < length; token++) {
    const from = start + token * width;
    for (let column = 0; column < width; column++) sum[column] = (sum[column] ?? 0) + (data[from + column] ?? 0);
  }
  return unit(sum);
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? vector : vector.map((value) => value / norm);
}
