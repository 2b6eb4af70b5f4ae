import type { StaticTextEncoder } from '../../ports/text-analyser.ts';
import type { ChatRequest, PassageInput } from '../../spec/chat.ts';
import type { Citation } from '../../spec/citation.ts';
import type { Usage } from '../../spec/usage.ts';
import { noUsage } from '../../spec/usage.ts';
import { chooseSentences } from './choose-sentences.ts';
import { plainText } from './plain-text.ts';
import { questionOf, readQuestion } from './question.ts';
import type { ScoreDeps } from './score-sentences.ts';
import { sayingFor } from './sayings.ts';
import { withWholeSteps } from './whole-steps.ts';

export interface ExtractiveAnswer {
  /** The answer in the pieces in which it is streamed; joined they are the answer. */
  pieces: string[];
  citations: Citation[];
  usage: Usage;
  finish: 'stop' | 'length';
}

const ENDS_CLEANLY = /[.!?。！？｡…][\p{Pe}\p{Pf}"'*_`]*$/u;
const ENDS_IN_JAPANESE = /[\u3001-\u30ff\u3400-\u9fff\uff01-\uff9f]$/;

/** Answers the last user message from the request's passages, or says why it does not. */
export function composeAnswer(deps: ScoreDeps, request: ChatRequest): ExtractiveAnswer {
  const question = questionOf(request.messages);
  const count = (text: string): number => countTokens(text, deps.encoder);
  const { passages } = request;
  const chosen = passages === undefined || question === '' ? [] : chooseSentences(deps, question, passages);
  if (passages === undefined || chosen.length === 0) {
    const text = sayingFor(deps.analyser.language(question), passages === undefined ? 'documentsOnly' : 'notAnswered');
    return { pieces: [text], citations: [], usage: usageOf(count, { question, passages, text }), finish: 'stop' };
  }

  const pieces: string[] = [];
  const citations: Citation[] = [];
  let text = '';
  let tokens = 0;
  let finish: 'stop' | 'length' = 'stop';
  const asked = readQuestion(question);
  for (const sentence of chosen) {
    const passage = passages[sentence.passage];
    if (passage === undefined) continue;
    // The best sentence brings its steps along, the others only what they themselves announce.
    const span = withWholeSteps(sentence, passage.content, { kind: pieces.length === 0 ? asked.kind : 'other' });
    const quoted = passage.content.slice(span.start, span.end);
    // Steps that have been shown already hold their sentences.
    if (citations.some((one) => one.document_id === passage.id && one.start < span.end && one.end > span.start))
      continue;
    const shown = plainText(quoted, sentence);
    tokens += count(shown);
    if (pieces.length > 0 && tokens > (request.maxOutputTokens ?? Infinity)) {
      finish = 'length';
      break;
    }
    const piece = separator(text) + shown;
    citations.push({
      document_id: passage.id,
      ...span,
      sentence: quoted,
      answer_start: text.length + piece.length - shown.length,
      answer_end: text.length + piece.length,
      ...(passage.title === undefined ? {} : { title: passage.title }),
    });
    pieces.push(piece);
    text += piece;
  }
  return { pieces, citations, usage: usageOf(count, { question, passages, text }), finish };
}

function separator(before: string): string {
  if (before === '') return '';
  if (before.includes('\n') && /^(?:[ \t]*(?:[-*+]|\d)|```|~~~)/m.test(before.slice(before.lastIndexOf('\n') + 1)))
    return '\n\n';
  if (!ENDS_CLEANLY.test(before.slice(-8))) return '\n';
  return ENDS_IN_JAPANESE.test(before) ? '' : ' ';
}

function usageOf(
  count: (text: string) => number,
  { question, passages, text }: { question: string; passages: readonly PassageInput[] | undefined; text: string },
): Usage {
  let inputTokens = count(question);
  for (const { content } of passages ?? []) inputTokens += count(content);
  return { ...noUsage('estimated'), inputTokens, outputTokens: count(text) };
}

/** Tokens by the encoder's own vocabulary, or about four Latin and one and a half other characters each. */
function countTokens(text: string, encoder: StaticTextEncoder | undefined): number {
  if (encoder !== undefined) return encoder.countTokens(text);
  let wide = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x2e7f) wide++;
  return Math.ceil((text.length - wide) / 4 + wide / 1.5);
}
