import type { Sentence, TextAnalyser } from '../../ports/text-analyser.ts';
import type { PassageInput } from '../../spec/chat.ts';

const MOST_PASSAGES = 100;
const MOST_SENTENCES = 2_000;
/** A row says something when it holds more than a key and a value. */
const FEWEST_ROW_TERMS = 5;
const FENCE = /^(?:```|~~~)/;
const HEADING = /^\s*#{1,6}\s/;
const LONGEST_LABEL = 80;
/** A line with a figure or a colon in it, but for its own number, says something. */
const SAYS_SOMETHING = /[\d:：]/;
const ENDS_AS_SENTENCE = /[.!?:;,。！？｡：、][\p{Pe}\p{Pf}"'*_`]*$/u;
const ENDS_AS_QUESTION = /[?？]["'”’」』)）]*$/;

/** The place of a sentence below its heading. */
export interface Section {
  heading: string;
  /** Of the section within its passage; the text before the first heading is 0. */
  number: number;
  /** Position among the sentences under the heading. */
  place: number;
}

/** One sentence that could be the answer, with what scoring needs to know of it. */
export interface Candidate {
  passage: number;
  /** Offsets into the passage's content. */
  start: number;
  end: number;
  text: string;
  /** Position among the sentences of its passage. */
  ordinal: number;
  /** The heading that it stands under, if one is known, and how many sentences stand between. */
  section?: Section;
  /** Its terms in order, and how often each occurs. */
  terms: readonly string[];
  termCounts: ReadonlyMap<string, number>;
  /** A row of a table: what it says, it says in few words and without the others. */
  isRow: boolean;
  isHeading: boolean;
  /** A short line of its own that names what the next sentence is about: a heading, a term of a list of definitions. */
  isLabel: boolean;
  /** False for headings, labels, questions, heads of tables and code: they may support an answer, never be one. */
  eligible: boolean;
}

/** The sentences of the passages in order, at most 2,000 of them from at most 100 passages. */
export function candidatesOf(passages: readonly PassageInput[], analyser: TextAnalyser): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [index, passage] of passages.slice(0, MOST_PASSAGES).entries()) {
    const sentences = analyser.sentences(passage.content);
    let inCode = beginsInCode(sentences);
    let heading = passage.headings?.at(-1);
    let number = 0;
    let place = 0;
    for (const [ordinal, sentence] of sentences.entries()) {
      if (candidates.length >= MOST_SENTENCES) return candidates;
      const isFence = FENCE.test(sentence.text);
      if (isFence) inCode = !inCode;
      const isHeading = !inCode && HEADING.test(lineBefore(passage.content, sentence.start));
      if (isHeading) {
        heading = sentence.text;
        number++;
        place = 0;
      }
      const span = withoutPipes(sentence);
      const terms = analyser.terms(span.text);
      const termCounts = new Map<string, number>();
      for (const term of terms) termCounts.set(term, (termCounts.get(term) ?? 0) + 1);
      const isLabel = !inCode && names(passage.content, sentence, sentences[ordinal + 1]);
      const eligible = !isFence && !inCode && !isLabel && isEligible(passage.content, span, terms.length);
      candidates.push({
        passage: index,
        ...span,
        ordinal,
        ...(heading !== undefined && !isHeading && { section: { heading, number, place } }),
        terms,
        termCounts,
        isRow: sentence.text.startsWith('|'),
        isHeading,
        isLabel,
        eligible,
      });
      if (eligible) place++;
    }
  }
  return candidates;
}

/** Whether a sentence is but a line without an end, and what follows it on a line of its own is a whole sentence. */
function names(content: string, { start, end, text }: Sentence, next: Sentence | undefined): boolean {
  if (next === undefined || text.length > LONGEST_LABEL) return false;
  if (ENDS_AS_SENTENCE.test(text) || SAYS_SOMETHING.test(text.replace(/^[\d.]+\s/, ''))) return false;
  if (!ENDS_AS_SENTENCE.test(next.text) || next.text.length <= text.length) return false;
  // Markdown says what is a heading, an item or a row; the last line of code has no blank line before it.
  const stands = /(?:^|\n[ \t]*\n)[ \t]*$/.test(content.slice(Math.max(0, start - 200), start));
  return stands && !text.startsWith('|') && /^[ \t]*\n\s*$/.test(content.slice(end, next.start));
}

/** Whether a passage was cut out of a document in the middle of its code: its fences do not pair, and the first closes. */
function beginsInCode(sentences: readonly Sentence[]): boolean {
  const fences = sentences.filter(({ text }) => FENCE.test(text));
  return fences.length % 2 === 1 && /^(?:```|~~~)$/.test(fences[0]?.text ?? '');
}

/** A row of a table, or a piece of one, without the bars at its ends; any other sentence as it is. */
function withoutPipes({ start, end, text }: Sentence): Sentence {
  const lead = /^\|\s*/.exec(text)?.[0].length ?? 0;
  const kept = text.endsWith('|') ? text.slice(lead, -1).trimEnd() : text.slice(lead);
  if (kept === '') return { start, end, text };
  return { start: start + lead, end: start + lead + kept.length, text: kept };
}

/** What stands on the line of a sentence before it, at most 12 code units. */
function lineBefore(content: string, start: number): string {
  const lineStart = content.lastIndexOf('\n', start - 1) + 1;
  return content.slice(lineStart, Math.min(start, lineStart + 12));
}

function isEligible(content: string, { start, end, text }: Sentence, termCount: number): boolean {
  if (termCount < 2 || ENDS_AS_QUESTION.test(text)) return false;
  if (/^(?:```|~~~|[-=*_:|\s]+$)/.test(text)) return false;
  const lead = lineBefore(content, start);
  if (HEADING.test(lead)) return false;
  if (lead.startsWith('|'))
    return termCount >= FEWEST_ROW_TERMS && !/^[^\n]*\n\s*\|[\s:|-]+(?:\n|$)/.test(content.slice(end, end + 200));
  const ends = /[.!。！｡:：]["'”’」』)）*_`]*$/.test(text);
  return ends || text.length >= 20;
}
