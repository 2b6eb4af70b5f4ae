import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { Candidate } from './candidates.ts';
import { readQuestion } from './question.ts';

/** How fast a heading stops speaking for the sentences under it. */
const FADING = 0.3;

/**
 * How well the heading above each sentence asks the question, 0 to 1: the harmonic mean of how much of the question it
 * repeats and how much of it the question repeats, most for the first sentence under it, which is where answers stand.
 * @param weights of the question's terms
 */
export function headingMatches(
  analyser: Pick<TextAnalyser, 'terms'>,
  weights: ReadonlyMap<string, number>,
  candidates: readonly Candidate[],
): number[] {
  const known = new Map<string, number>();
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const matchOf = (heading: string): number => {
    const terms = new Set(analyser.terms(readQuestion(heading).topic));
    let shared = 0;
    let repeated = 0;
    for (const term of terms) {
      const weight = weights.get(term);
      if (weight === undefined) continue;
      shared++;
      repeated += weight;
    }
    return shared === 0 || total === 0 ? 0 : 2 / (total / repeated + terms.size / shared);
  };
  return candidates.map(({ section }) => {
    if (section === undefined) return 0;
    const match = known.get(section.heading) ?? matchOf(section.heading);
    known.set(section.heading, match);
    return match / (1 + FADING * section.place);
  });
}
