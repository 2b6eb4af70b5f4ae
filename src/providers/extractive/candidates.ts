import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { PassageInput } from '../../spec/chat.ts';

const MOST_PASSAGES = 100;
const MOST_SENTENCES = 2_000;
const ENDS_AS_QUESTION = /[?？]["'”’」』)）]*$/;

/** One sentence that could be the answer, with what scoring needs to know of it. */
export interface Candidate {
  passage: number;
  /** Offsets into the passage's content. */
  start: number;
  end: number;
  text: string;
  /** Position among the sentences of its passage. */
  ordinal: number;
  /** Its terms in order, and how often each occurs. */
  terms: readonly string[];
  termCounts: ReadonlyMap<string, number>;
  /** False for headings, questions, table rows and code: they may support an answer, never be one. */
  eligible: boolean;
}

/** The sentences of the passages in order, at most 2,000 of them from at most 100 passages. */
export function candidatesOf(passages: readonly PassageInput[], analyser: TextAnalyser): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [index, passage] of passages.slice(0, MOST_PASSAGES).entries()) {
    for (const [ordinal, sentence] of analyser.sentences(passage.content).entries()) {
      if (candidates.length >= MOST_SENTENCES) return candidates;
      const terms = analyser.terms(sentence.text);
      const termCounts = new Map<string, number>();
      for (const term of terms) termCounts.set(term, (termCounts.get(term) ?? 0) + 1);
      candidates.push({
        passage: index,
        start: sentence.start,
        end: sentence.end,
        text: sentence.text,
        ordinal,
        terms,
        termCounts,
        eligible: isEligible(passage.content, sentence.start, sentence.text, terms.length),
      });
    }
  }
  return candidates;
}

function isEligible(content: string, start: number, text: string, termCount: number): boolean {
  if (termCount < 2 || ENDS_AS_QUESTION.test(text)) return false;
  if (/^(?:\||```|~~~|[-=*_\s]+$)/.test(text)) return false;
  const lineStart = content.lastIndexOf('\n', start - 1) + 1;
  if (/^\s*#{1,6}\s/.test(content.slice(lineStart, Math.min(start + 1, lineStart + 12)))) return false;
  const ends = /[.!。！｡:：]["'”’」』)）*_`]*$/.test(text);
  return ends || text.length >= 20;
}
