import type { CallFacts, CallOrigin, ModelAnswer, ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { JsonObject } from '../lib/json.ts';
import type { FinishReason, Message, StreamPart } from '../spec/chat.ts';
import type { Citation } from '../spec/citation.ts';
import type { RetrievalSettings } from '../spec/collection.ts';
import type { Hit } from '../spec/document.ts';
import type { CollectionName, RequestId, TenantId } from '../spec/ids.ts';
import type { Micros } from '../spec/money.ts';
import type { Principal } from '../spec/principal.ts';
import { answerPrompt } from './answer/answer-prompt.ts';
import { checkQuestion } from './answer/check-question.ts';
import { modelsOf } from './answer/models-of.ts';
import { notSaid } from './answer/not-said.ts';
import { packPassages, type CountTokens } from './answer/pack-passages.ts';
import { rewriteQuestion, type RewriteStep } from './answer/rewrite/rewrite-question.ts';
import type { EvidenceDeps } from './answer/verify/evidence.ts';
import { createJudge } from './answer/verify/judge.ts';
import { createAnswerWriter, type Verification } from './answer/write-answer.ts';
import { ownAddresses } from './answer/guard/own-addresses.ts';
import { answerTags } from './answer-tags.ts';
import type { Collection } from './collections.ts';
import type { Retrieve } from './retrieve/retrieve.ts';

export interface Question {
  requestId: RequestId;
  principal: Principal;
  collection: CollectionName;
  question: string;
  /** Turns before the question, oldest first. */
  history: readonly Message[];
  /** Passages to answer from, 1 to 100; absent: as many as the collection hands on. */
  topK?: number;
  /** In place of what the collection says of its legs and its reranker. */
  mode?: RetrievalSettings['mode'];
  rerank?: 'off';
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
  verification: Verification;
  /** Found by words alone, because the meaning of the question could not be had. */
  isDegraded: boolean;
  /** What was made of the question before it was searched for. */
  rewrites: readonly RewriteStep[];
  /** The route that wrote the answer. */
  model: string;
  timingsMs: Record<string, number>;
}

/** What is known of the call that writes, when it has begun. */
export type AnswerFacts = CallFacts & { costMicros?: Micros | null };

export type AnswerEvent =
  /** `cache` tells whether the whole answer is given again. */
  | { type: 'sources'; sources: Hit[]; cache: 'hit' | 'miss' }
  /** The model has begun; `facts` tells which. */
  | { type: 'begun'; facts: AnswerFacts }
  | { type: 'part'; part: StreamPart }
  | { type: 'done'; result: QuestionAnswer };

export interface AnswerQuestionDeps extends EvidenceDeps {
  gateway: Pick<ModelGateway, 'chat' | 'routes'>;
  retrieve: Retrieve;
  collections: {
    /** @throws SekishoError collection_not_found. */
    require(tenantId: TenantId, name: CollectionName): Promise<Pick<Collection, 'id' | 'settings'>>;
  };
  clock: Clock;
  /** The model that writes answers, where a collection names none. */
  answerRoute: string;
  countTokens: CountTokens;
  /** The mark that stands in the instructions of a tenant's answers and must not be seen in one. */
  canaryOf: (tenantId: TenantId) => string;
  onAnswered: OnAnswered;
}

export type Outcome = 'answered' | 'not_answered' | 'error';

/** Told once of each question, however it ended; `verification` where an answer was written. */
export type OnAnswered = (
  question: Question,
  outcome: Outcome,
  details: { timingsMs: Record<string, number>; verification?: Verification; cache: 'hit' | 'miss' },
) => void;

export type AnswerQuestion = (question: Question) => AsyncGenerator<AnswerEvent, void, undefined>;

/** Wires whose models tell which spans they quote. */
const QUOTING_WIRES: ReadonlySet<string> = new Set(['extractive', 'cohere']);

/**
 * The road of an answer from documents. Each step stands where it stands because the next one needs what it
 * makes; a failure anywhere ends the road with its error, and nothing is answered without its sources.
 */
export function createAnswerQuestion(deps: AnswerQuestionDeps): AnswerQuestion {
  const { analyser, clock, gateway } = deps;
  return async function* answerQuestion(question) {
    const { principal, signal, requestId, collection } = question;
    const startedMs = clock.monotonicMs();
    const timingsMs: Record<string, number> = {};
    let outcome: Outcome = 'error';
    let verification: Verification | undefined;
    try {
      checkQuestion(question);
      const { id, settings } = await deps.collections.require(principal.tenantId, collection);
      const route = settings.answer.route ?? deps.answerRoute;
      const origin = { ...question.origin, requestId, principal, signal };
      const language = analyser.language(question.question);

      // 1. Rewrite: what is searched for must make sense without the conversation, and may be put in several ways.
      const asked = { ...question, settings: settings.retrieval.rewrite };
      const { query, queries, hyde, steps } = await rewriteQuestion(deps, asked, { origin, route, collection: id });
      timingsMs['rewriteMs'] = clock.monotonicMs() - startedMs;

      // 2. Retrieve: both legs side by side, fused; the hits are shown before a word is written.
      const topK = question.topK ?? settings.retrieval.topK;
      const more = { ...(queries.length > 0 && { queries }), ...(hyde !== undefined && { hyde }) };
      const found = await deps.retrieve({ ...question, ...more, topK, query });
      Object.assign(timingsMs, found.timings);
      yield { type: 'sources', sources: found.hits, cache: 'miss' };

      // 3. Pack: the best passages first, as many as the budget holds.
      const budget = settings.answer.passageTokens;
      const [model = route] = modelsOf(gateway, principal, route);
      const passages = await packPassages(found.hits, { model, budget, count: deps.countTokens });

      // 4. Call the model, on the same road as every other call. It is offered no tools, whatever a passage asks for.
      const calledMs = clock.monotonicMs();
      const canary = deps.canaryOf(principal.tenantId);
      const template = settings.answer.prompt;
      const prompt = answerPrompt({ ...question, passages, language, template, canary, nowMs: clock.nowMs() });
      const answer = await gateway.chat({
        ...origin,
        // Who may read the collection may have it answered, whichever routes the key may call directly.
        principal: { ...principal, allowedRoutes: [] },
        route,
        cacheTags: answerTags(id, passages),
        stream: question.stream,
        request: () => prompt,
      });
      yield { type: 'begun', facts: answer.facts };

      // 5. Write: sentences are held against their sources, and what a document may have planted is kept in.
      const judgeRoute = settings.answer.judgeRoute;
      const writer = createAnswerWriter(
        {
          ...deps,
          ...(judgeRoute !== null && { judge: createJudge({ gateway, route: judgeRoute, origin }) }),
          passages,
          policy: settings.answer.verify,
          canary,
          isAllowed: ownAddresses([
            ...question.history,
            { role: 'user', parts: [{ type: 'text', text: question.question }] },
          ]),
        },
        { quotes: QUOTING_WIRES.has(answer.facts.wire) },
      );
      let finish: FinishReason = 'stop';
      let quoted: Citation[] | undefined;
      for await (const part of partsOf(answer)) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text') yield* textPart(await writer.push(part.text));
        else if (part.type === 'citations') quoted = [...(quoted ?? []), ...part.citations];
        else if (part.type === 'finish') finish = part.finish === 'tool-calls' ? 'stop' : part.finish;
        else if (part.type === 'start' || part.type === 'usage') yield { type: 'part', part };
        // What else a model says is no answer: tool calls nobody offered, and thoughts that nothing verifies.
      }
      timingsMs['generateMs'] = clock.monotonicMs() - calledMs;

      // 6. Verify: where nothing that the model wrote is supported and all of it is held back, that is the answer.
      const { rest, answer: written } = await writer.end(quoted);
      const { citations } = written;
      verification = written.verification;
      const isEmpty = written.text.trim() === '' || (verification.withheld > 0 && citations.length === 0);
      const closing = isEmpty ? notSaid(language, written.text) : '';
      yield* textPart(rest + closing);
      timingsMs['verifyMs'] = clock.monotonicMs() - calledMs - timingsMs['generateMs'];
      if (citations.length > 0) yield { type: 'part', part: { type: 'citations', citations } };
      yield { type: 'part', part: { type: 'finish', finish } };

      // 7. Answer, with what it rests on and what it took.
      outcome = citations.length > 0 ? 'answered' : 'not_answered';
      timingsMs['totalMs'] = clock.monotonicMs() - startedMs;
      yield {
        type: 'done',
        result: {
          answer: written.text + closing,
          citations,
          sources: found.hits,
          answered: outcome === 'answered',
          verification,
          isDegraded: found.degradedBy !== undefined,
          rewrites: steps,
          model: route,
          timingsMs,
        },
      };
    } finally {
      timingsMs['totalMs'] ??= clock.monotonicMs() - startedMs;
      deps.onAnswered(question, outcome, { timingsMs, ...(verification && { verification }), cache: 'miss' });
    }
  };
}

function* textPart(text: string): Generator<AnswerEvent> {
  if (text !== '') yield { type: 'part', part: { type: 'text', text } };
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
