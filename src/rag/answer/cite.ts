import type { Sentence, StaticTextEncoder, TextAnalyser } from '../../ports/text-analyser.ts';
import type { Citation } from '../../spec/citation.ts';
import type { Hit } from '../../spec/document.ts';

/** Share of an answer's terms that its best passage sentence must hold to count as support. */
const MIN_SUPPORT = 0.3;
/** Between languages words do not meet: cosine that a translation reaches (its median is 0.8) and chance does not. */
const MIN_LIKENESS = 0.45;
export interface CiteDeps {
  analyser: TextAnalyser;
  encoder?: StaticTextEncoder;
}

const MARKER = /\[(\d{1,3})\]/g;

/**
 * Citations of an answer whose sentences carry passage numbers as `[n]`. Each points to the sentence of the
 * passage that shares most terms with the answer's sentence; a number without passage, and a sentence without
 * support in the passage that it names, get none.
 */
export function citeMarkers(answer: string, passages: readonly Hit[], deps: CiteDeps): Citation[] {
  const { analyser } = deps;
  const citations: Citation[] = [];
  for (const sentence of withMarkers(answer, analyser)) {
    const claim = sentence.text.replace(MARKER, '');
    const numbers = new Set([...sentence.text.matchAll(MARKER)].map((match) => Number(match[1])));
    for (const number of numbers) {
      const passage = passages[number - 1];
      const support = passage === undefined ? undefined : bestSentence(claim, passage, deps);
      if (passage === undefined || support === undefined) continue;
      citations.push({
        ...inDocument(passage, support.start, support.end),
        answer_start: sentence.start,
        answer_end: sentence.end,
      });
    }
  }
  return citations;
}

/** A span of a passage as a citation of its document. */
export function inDocument(passage: Hit, start: number, end: number): Citation {
  return {
    document_id: passage.documentId,
    start: passage.start + start,
    end: passage.start + end,
    sentence: passage.content.slice(start, end),
    ...(passage.title !== '' && { title: passage.title }),
  };
}

/** Sentences of an answer; a number that follows the full stop belongs to the sentence before it. */
function withMarkers(answer: string, analyser: TextAnalyser): Sentence[] {
  const sentences: Sentence[] = [];
  for (const sentence of analyser.sentences(answer)) {
    const leading = /^(?:\s*\[\d{1,3}\])+/.exec(sentence.text)?.[0] ?? '';
    const last = sentences.at(-1);
    if (leading !== '' && last !== undefined) {
      last.end = sentence.start + leading.length;
      last.text = answer.slice(last.start, last.end);
    }
    const start = sentence.start + (last === undefined ? 0 : leading.length);
    if (start < sentence.end) sentences.push({ start, end: sentence.end, text: answer.slice(start, sentence.end) });
  }
  return sentences;
}

function bestSentence(claim: string, passage: Hit, { analyser, encoder }: CiteDeps): Sentence | undefined {
  const sentences = analyser.sentences(passage.content);
  const wanted = new Set(analyser.terms(claim));
  if (wanted.size === 0) return undefined;
  const shared = (sentence: Sentence): number =>
    new Set(analyser.terms(sentence.text).filter((term) => wanted.has(term))).size / wanted.size;
  const byWords = best(sentences, shared, MIN_SUPPORT);
  if (byWords !== undefined || encoder === undefined) return byWords;
  if (analyser.language(claim) === analyser.language(passage.content)) return undefined;
  const meaning = encoder.encode(claim);
  return best(sentences, (sentence) => dot(meaning, encoder.encode(sentence.text)), MIN_LIKENESS);
}

/** The sentence of the highest score, the first of equals; undefined where none reaches `least`. */
function best(
  sentences: readonly Sentence[],
  score: (sentence: Sentence) => number,
  least: number,
): Sentence | undefined {
  let found: Sentence | undefined;
  let highest = least;
  for (const sentence of sentences) {
    const its = score(sentence);
    if (its > highest || (found === undefined && its === highest)) {
      found = sentence;
      highest = its;
    }
  }
  return found;
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] ?? 0) * (b[i] ?? 0);
  return total;
}
