import type { Rerank } from './reranker.ts';

/**
 * Maximal marginal relevance, after Carbonell and Goldstein (1998): candidates are taken one by one, each time the one
 * with the best `lambda * score - (1 - lambda) * likeness to what has been taken`. Likeness is the cosine of the texts'
 * vectors, not below 0. Scores are moved into 0..1 and fall in the order of taking.
 *
 * @param lambda 1 is relevance alone, 0 variety alone
 */
export function createMmr(encode: (text: string) => Float32Array, lambda: number): Rerank {
  return async ({ candidates }) => {
    const vectors = candidates.map(({ title, content }) => encode(`${title}\n${content}`));
    const likeness = new Float64Array(candidates.length);
    const scores = candidates.map(() => 0);
    const raw = candidates.map(() => 0);
    const left = new Set(candidates.keys());
    while (left.size > 0) {
      let best = -1;
      let bestValue = -Infinity;
      for (const at of left) {
        const value = lambda * (candidates[at]?.score ?? 0) - (1 - lambda) * (likeness[at] ?? 0);
        if (value <= bestValue) continue;
        bestValue = value;
        best = at;
      }
      left.delete(best);
      raw[best] = bestValue;
      scores[best] = Math.max(0, bestValue + 1 - lambda);
      const taken = vectors[best];
      if (taken === undefined) break;
      for (const at of left) likeness[at] = Math.max(likeness[at] ?? 0, cosine(taken, vectors[at] ?? taken));
    }
    return { scores, raw };
  };
}

/** Of unit vectors, or zero. */
function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  for (let i = 0; i < a.length; i += 1) dot += (a[i] ?? 0) * (b[i] ?? 0);
  return dot;
}
