import { estimateTokens } from '../gateway/estimate.ts';
import type { CallOrigin, ModelAnswer, ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { JsonObject } from '../lib/json.ts';
import type { StaticTextEncoder, TextAnalyser } from '../ports/text-analyser.ts';
import type { FinishReason, Message, StreamPart } from '../spec/chat.ts';
import type { Citation } from '../spec/citation.ts';
import type { Hit } from '../spec/document.ts';
import { SekishoError } from '../spec/errors.ts';
import type { CollectionName, RequestId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { answerPrompt } from './answer/answer-prompt.ts';
import { citeMarkers, inDocument } from './answer/cite.ts';
import { condenseQuestion } from './answer/condense-question.ts';
import { answerTags } from './answer-tags.ts';
import type { Retrieve } from './retrieve/retrieve.ts';

export interface Question {
  requestId: RequestId;
  principal: Principal;
  collection: CollectionName;
  question: string;
  /** Turns before the question, oldest first. */
  history: readonly Message[];
  /** Passages to answer from, 1 to 100. */
  topK: number;
  filters?: JsonObject;
  signal: AbortSignal;
  /** Whether the model's answer is to come in pieces. */
  stream: boolean;
  /** For whom the models are called, and what the caller wants of cache and books. */
  origin?: QuestionOrigin;
}

export type QuestionOrigin = Pick<CallOrigin, 'endUser' | 'tags' | 'session' | 'cache' | 'traceParent'>;

/** A question answered. Citations are exact spans of stored documents. */
export interface QuestionAnswer {
  answer: string;
  citations: Citation[];
  sources: Hit[];
  /** False where the documents do not say. */
  answered: boolean;
  /** The route that wrote the answer. */
  model: string;
  timingsMs: Record<string, number>;
}

export type AnswerEvent =
  | { type: 'sources'; sources: Hit[] }
  /** The model has begun; `facts` tells which. */
  | { type: 'begun'; answer: ModelAnswer }
  | { type: 'part'; part: StreamPart }
  | { type: 'done'; result: QuestionAnswer };

export interface AnswerQuestionDeps {
  gateway: Pick<ModelGateway, 'chat'>;
  retrieve: Retrieve;
  analyser: TextAnalyser;
  /** Finds the sentence that supports a claim of another language; without it such claims get no citation. */
  encoder?: StaticTextEncoder;
  clock: Clock;
  /** The model that writes answers. */
  answerRoute: string;
  onAnswered: (
    question: Question,
    outcome: 'answered' | 'not_answered' | 'error',
    timingsMs: Record<string, number>,
  ) => void;
}

export type AnswerQuestion = (question: Question) => AsyncGenerator<AnswerEvent, void, undefined>;

/** What passages may take of a model's window: small models have 8,000 tokens, of which the answer needs some. */
const PASSAGE_TOKENS = 5_000;
const LONGEST_QUESTION = 8_000;

/**
 * The road of an answer from documents. Each step stands where it stands because the next one needs what it
 * makes; a failure anywhere ends the road with its error, and nothing is answered without its sources.
 */
export function createAnswerQuestion(deps: AnswerQuestionDeps): AnswerQuestion {
  const { analyser, clock } = deps;
  return async function* answerQuestion(question) {
    const startedMs = clock.monotonicMs();
    const timingsMs: Record<string, number> = {};
    let outcome: 'answered' | 'not_answered' | 'error' = 'error';
    try {
      check(question.question);

      // 1. Condense: what is searched for must make sense without the conversation before it.
      const searched = await condenseQuestion(deps, question);

      // 2. Retrieve: both legs side by side, fused; the hits are shown before a word is written.
      const found = await deps.retrieve({ ...question, query: searched });
      Object.assign(timingsMs, found.timings);
      yield { type: 'sources', sources: found.hits };

      // 3. Pack: the best passages first, as many as the budget holds.
      const passages = packed(found.hits);

      // 4. Call the model, on the same road as every other call.
      const calledMs = clock.monotonicMs();
      const prompt = answerPrompt({
        question: question.question,
        history: question.history,
        passages,
        language: analyser.language(question.question),
      });
      const answer = await deps.gateway.chat({
        ...question.origin,
        requestId: question.requestId,
        // Who may read the collection may have it answered, whichever routes the key may call directly.
        principal: { ...question.principal, allowedRoutes: [] },
        route: deps.answerRoute,
        signal: question.signal,
        cacheTags: answerTags(question.collection, passages),
        stream: question.stream,
        request: () => prompt,
      });
      yield { type: 'begun', answer };
      let text = '';
      let finish: FinishReason = 'stop';
      let quoted: Citation[] | undefined;
      for await (const part of partsOf(answer)) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text') text += part.text;
        if (part.type === 'citations') quoted = [...(quoted ?? []), ...part.citations];
        else if (part.type === 'finish') finish = part.finish;
        else yield { type: 'part', part };
      }
      timingsMs['generateMs'] = clock.monotonicMs() - calledMs;

      // 5. Cite and verify: a model that quotes tells its spans, one that writes is held to its numbers.
      const citations = quoted === undefined ? citeMarkers(text, passages, deps) : located(quoted, passages);
      if (citations.length > 0) yield { type: 'part', part: { type: 'citations', citations } };
      yield { type: 'part', part: { type: 'finish', finish } };

      // 6. Answer, with what it rests on and what it took.
      outcome = citations.length > 0 ? 'answered' : 'not_answered';
      timingsMs['totalMs'] = clock.monotonicMs() - startedMs;
      const answered = outcome === 'answered';
      const model = deps.answerRoute;
      yield { type: 'done', result: { answer: text, citations, sources: found.hits, answered, model, timingsMs } };
    } finally {
      timingsMs['totalMs'] ??= clock.monotonicMs() - startedMs;
      deps.onAnswered(question, outcome, timingsMs);
    }
  };
}

function check(question: string): void {
  const problem =
    question.trim() === ''
      ? 'it is empty'
      : question.length > LONGEST_QUESTION
        ? `it is longer than ${LONGEST_QUESTION} characters`
        : undefined;
  if (problem === undefined) return;
  throw new SekishoError('invalid_request', { values: { problem: `query: ${problem}` }, param: 'query' });
}

function packed(hits: readonly Hit[]): Hit[] {
  const passages: Hit[] = [];
  let left = PASSAGE_TOKENS;
  for (const hit of hits) {
    left -= estimateTokens(hit.content);
    if (left < 0 && passages.length > 0) break;
    passages.push(hit);
  }
  return passages;
}

/** The parts of an answer, whole or streamed. */
async function* partsOf(answer: ModelAnswer): AsyncGenerator<StreamPart> {
  if (answer.kind === 'stream') {
    for await (const frame of answer.frames) yield* frame.parts;
    return;
  }
  const result = answer.answer.result();
  yield { type: 'start', id: result.id, model: result.model, createdMs: result.createdMs };
  for (const part of result.parts) if (part.type === 'text') yield { type: 'text', text: part.text };
  if (result.citations !== undefined) yield { type: 'citations', citations: result.citations };
  yield { type: 'usage', usage: result.usage };
  yield { type: 'finish', finish: result.finish };
}

/** Citations that count inside their passage, moved to where the passage stands in its document. */
function located(citations: readonly Citation[], passages: readonly Hit[]): Citation[] {
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
