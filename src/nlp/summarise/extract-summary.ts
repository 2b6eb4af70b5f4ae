import type { TextAnalyser } from '../../ports/text-analyser.ts';

/** A sentence with more terms than this, or fewer than that, rarely stands on its own. */
const LONGEST_TERMS = 120;
const SHORTEST_TERMS = 3;
/** Beyond this many sentences only these, evenly spread, are weighed: the rest would cost time and change little. */
const MAX_SENTENCES = 2_000;

/**
 * The sentences that say most of what a text says, in their order: SumBasic (Nenkova and Vanderwende, "The impact
 * of frequency on summarization", MSR-TR-2005-101). A term weighs as much as its share of the text; the sentence
 * of the highest mean weight is taken, and what it said weighs less from then on, so that nothing is said twice.
 * Terms of a single character and of a single mention carry no weight of their own.
 *
 * At most `maxSentences` sentences, in the words of the text; all of it where it has no more.
 */
export function extractSummary(
  text: string,
  { analyser, maxSentences }: { analyser: Pick<TextAnalyser, 'terms' | 'sentences'>; maxSentences: number },
): string[] {
  const all = analyser.sentences(text).map((sentence) => sentence.text);
  if (all.length <= maxSentences) return all;
  const step = Math.max(1, all.length / MAX_SENTENCES);
  const sentences = Array.from({ length: Math.min(all.length, MAX_SENTENCES) }, (_, at) => {
    const index = Math.floor(at * step);
    const own = all[index] ?? '';
    return { index, text: own, terms: new Set(analyser.terms(own).filter((term) => term.length > 1)) };
  });

  const weights = new Map<string, number>();
  for (const { terms } of sentences) for (const term of terms) weights.set(term, (weights.get(term) ?? 0) + 1);
  for (const [term, mentions] of weights) weights.set(term, mentions > 1 ? mentions / sentences.length : 0);

  // Said twice is weighed twice but told once.
  const distinct = [...new Map(sentences.toReversed().map((sentence) => [sentence.text, sentence])).values()];
  const candidates = distinct.filter(({ terms }) => terms.size >= SHORTEST_TERMS && terms.size <= LONGEST_TERMS);
  const pool = new Set(candidates.length >= maxSentences ? candidates : distinct);
  const chosen: typeof sentences = [];
  while (chosen.length < maxSentences && pool.size > 0) {
    let best: (typeof sentences)[number] | undefined;
    let bestScore = -1;
    for (const sentence of pool) {
      const score = meanWeight(sentence.terms, weights);
      if (score <= bestScore) continue;
      best = sentence;
      bestScore = score;
    }
    if (best === undefined) break;
    pool.delete(best);
    chosen.push(best);
    for (const term of best.terms) weights.set(term, (weights.get(term) ?? 0) ** 2);
  }
  return chosen.toSorted((a, b) => a.index - b.index).map((sentence) => sentence.text);
}

function meanWeight(terms: ReadonlySet<string>, weights: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const term of terms) sum += weights.get(term) ?? 0;
  return terms.size === 0 ? 0 : sum / terms.size;
}
