import type { Sentence, TextAnalyser } from '../../ports/text-analyser.ts';
import type { Citation } from '../../spec/citation.ts';
import type { Hit } from '../../spec/document.ts';
import { SekishoError } from '../../spec/errors.ts';
import { pageAt } from '../pages.ts';

/** How a model names a passage: by its number, in brackets. */
export const MARKER = /\[(\d{1,3})\]/g;

/** A span of a passage as a citation of its document. */
export function inDocument(passage: Hit, start: number, end: number): Citation {
  const page = pageAt(passage.metadata, passage.start + start);
  return {
    document_id: passage.documentId,
    start: passage.start + start,
    end: passage.start + end,
    sentence: passage.content.slice(start, end),
    ...(passage.title !== '' && { title: passage.title }),
    ...(page !== undefined && { page }),
  };
}

/** Citations that count inside their passage, moved to where the passage stands in its document. */
export function located(citations: readonly Citation[], passages: readonly Hit[]): Citation[] {
  return citations.map((citation) => {
    const passage = passages.find((hit) => hit.chunkId === citation.document_id);
    if (passage === undefined)
      throw new SekishoError('internal', { cause: new Error('a citation of an unknown passage') });
    const { answer_start, answer_end } = citation;
    return {
      ...inDocument(passage, citation.start, citation.end),
      ...(answer_start !== undefined && { answer_start }),
      ...(answer_end !== undefined && { answer_end }),
    };
  });
}

/** Sentences of an answer, in order; a number that follows the full stop belongs to the sentence before it. */
export function citingSentences(answer: string, analyser: TextAnalyser): Sentence[] {
  const sentences: Sentence[] = [];
  for (const sentence of analyser.sentences(answer)) {
    const leading = /^(?:\s*\[\d{1,3}\])+/.exec(sentence.text)?.[0] ?? '';
    const last = sentences.at(-1);
    if (leading !== '' && last !== undefined) {
      last.end = sentence.start + leading.length;
      last.text = answer.slice(last.start, last.end);
    }
    const start = sentence.start + (last === undefined ? 0 : leading.length);
    const lead = /^\s*/.exec(answer.slice(start, sentence.end))?.[0].length ?? 0;
    if (start + lead < sentence.end)
      sentences.push({ start: start + lead, end: sentence.end, text: answer.slice(start + lead, sentence.end) });
  }
  return sentences;
}
