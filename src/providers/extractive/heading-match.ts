import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { Candidate } from './candidates.ts';
import { readQuestion } from './question.ts';

/** How fast a heading stops speaking for the sentences under it. */
const FADING = 0.3;

export interface HeadingMatch {
  /** How well the heading asks the question, 0 to 1. */
  asks: number;
  /** The same, most for the first sentence under the heading, which is where answers stand. */
  faded: number;
}

const NONE: HeadingMatch = { asks: 0, faded: 0 };

/**
 * How well the heading above each sentence asks the question: the harmonic mean of how much of the question the heading
 * repeats and how much of the heading the question repeats.
 * @param weights of the question's terms
 */
export function headingMatches(
  analyser: Pick<TextAnalyser, 'terms'>,
  weights: ReadonlyMap<string, number>,
  candidates: readonly Candidate[],
): HeadingMatch[] {
  const known = new Map<string, number>();
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const asksOf = (heading: string): number => {
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
    if (section === undefined) return NONE;
    const asks = known.get(section.heading) ?? asksOf(section.heading);
    known.set(section.heading, asks);
    return { asks, faded: asks / (1 + FADING * section.place) };
  });
}
