import type { Hit } from '../../spec/document.ts';

/** Tokens of each text as a model counts them; it may stop once the sum is above `stopAbove`. */
export type CountTokens = (model: string, texts: readonly string[], stopAbove: number) => Promise<readonly number[]>;

/** What the fence and the number around a passage take. */
const FENCE_TOKENS = 20;

/** The best passages first, as many as the budget holds; the first is there whatever it takes. */
export async function packPassages(
  hits: readonly Hit[],
  { model, budget, count }: { model: string; budget: number; count: CountTokens },
): Promise<Hit[]> {
  const texts = hits.map(({ title, headingPath, content }) => [title, ...headingPath, content].join('\n'));
  const counts = await count(model, texts, budget);
  const passages: Hit[] = [];
  let left = budget;
  for (const [i, hit] of hits.entries()) {
    // What was not counted any more did not fit.
    left -= (counts[i] ?? budget) + FENCE_TOKENS;
    if (left < 0 && passages.length > 0) break;
    passages.push(hit);
  }
  return passages;
}
