import type { ModelGateway } from '../../../gateway/model-call.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { DocumentId, TenantId } from '../../../spec/ids.ts';
import { noUsage } from '../../../spec/usage.ts';
import type {
  AnswerEvent,
  AnswerFacts,
  AnswerQuestion,
  OnAnswered,
  Question,
  QuestionAnswer,
} from '../../answer-question.ts';
import { answerTags, everyAnswerTag, unansweredTag } from '../../answer-tags.ts';
import type { Collection } from '../../collections.ts';
import { chunkIdOf, type Documents } from '../../documents.ts';
import { modelsOf } from '../models-of.ts';
import type { KeptAnswer, KeptAnswers } from './kept-answers.ts';
import { questionKey } from './question-key.ts';

export interface AnswerAgainDeps {
  answerQuestion: AnswerQuestion;
  kept: KeptAnswers;
  collections: { require(tenantId: TenantId, name: string): Promise<Collection> };
  documents: Pick<Documents, 'known'>;
  gateway: Pick<ModelGateway, 'routes'>;
  answerRoute: string;
  clock: Clock;
  onAnswered: OnAnswered;
}

/** A document that is new takes along every kept answer of its collection; this bounds what nothing tells of. */
const ANSWERED_MS = 10 * 60_000;
/** That documents do not say may change with each of them. */
const NOT_ANSWERED_MS = 60_000;

/**
 * Answers a question that was answered before without searching or writing again. An answer is given again only while
 * every document that it was made of stands as it did; whoever has other rights, filters or words asks another question.
 * The caller may go past what is kept or have it made anew.
 */
export function createAnswerAgain(deps: AnswerAgainDeps): AnswerQuestion {
  const { kept, clock } = deps;
  return async function* answerAgain(question) {
    const wish = question.origin?.cache?.wish ?? 'use';
    if (wish === 'bypass') return yield* deps.answerQuestion(question);
    const startedMs = clock.monotonicMs();
    const collection = await deps.collections.require(question.principal.tenantId, question.collection);
    const route = collection.settings.answer.route ?? deps.answerRoute;
    const key = questionKey(question, {
      collection,
      models: [route, ...modelsOf(deps.gateway, question.principal, route)],
    });
    const found = wish === 'use' ? await kept.get(key) : undefined;
    if (found !== undefined && (await isCurrent(found, collection))) return yield* again(question, found, startedMs);

    const making = kept.begin(key, question.principal.tenantId);
    let facts: AnswerFacts | undefined;
    let isCut = false;
    try {
      for await (const event of deps.answerQuestion(question)) {
        if (event.type === 'begun') facts = event.facts;
        if (event.type === 'part' && event.part.type === 'finish') isCut = event.part.finish !== 'stop';
        // Kept before it is handed over: whoever has the whole answer asks for nothing after it.
        if (event.type === 'done' && facts !== undefined && !isCut && isKeepable(event.result)) {
          const { result } = event;
          const { target, wire } = facts;
          making.keep({ result, target, wire }, belongings(result, collection, question.origin?.cache?.ttlMs));
        }
        yield event;
      }
    } finally {
      making.end();
    }
  };

  /** Whether each document that was found still has the version that was found, also where nobody told this process. */
  async function isCurrent({ result }: KeptAnswer, collection: Collection): Promise<boolean> {
    const ids: DocumentId[] = [...new Set(result.sources.map(({ documentId }) => documentId))];
    const place = { tenantId: collection.tenantId, collection: collection.id };
    const known = await deps.documents.known(place, ids);
    return result.sources.every(({ documentId, chunkId }) => {
      const now = known.get(documentId);
      return now !== undefined && !now.unfinished && now.hash !== null && isChunkOf(chunkId, documentId, now.hash);
    });
  }

  async function* again(
    question: Question,
    { result, target, wire }: KeptAnswer,
    startedMs: number,
  ): AsyncGenerator<AnswerEvent> {
    const timingsMs = { totalMs: clock.monotonicMs() - startedMs };
    const { requestId } = question;
    const outcome = result.answered ? 'answered' : 'not_answered';
    deps.onAnswered(question, outcome, { timingsMs, verification: result.verification, cache: 'hit' });
    yield { type: 'sources', sources: result.sources, cache: 'hit' };
    const facts = { requestId, route: result.model, target, wire, attempts: 0, cache: 'hit' as const, limits: [] };
    yield { type: 'begun', facts: { ...facts, costMicros: 0, overheadMs: () => clock.monotonicMs() - startedMs } };
    yield {
      type: 'part',
      part: { type: 'start', id: `chatcmpl_${requestId}`, model: result.model, createdMs: clock.nowMs() },
    };
    yield { type: 'part', part: { type: 'text', text: result.answer } };
    yield { type: 'part', part: { type: 'usage', usage: noUsage('reported') } };
    const { citations } = result;
    if (citations.length > 0) yield { type: 'part', part: { type: 'citations', citations } };
    yield { type: 'part', part: { type: 'finish', finish: 'stop' } };
    yield { type: 'done', result: { ...result, timingsMs } };
  }
}

/** How long an answer is kept at most, and what takes it along before. */
function belongings(result: QuestionAnswer, { id }: Collection, ttlMs = Infinity): { ttlMs: number; tags: string[] } {
  const { answered, sources } = result;
  return {
    ttlMs: Math.min(ttlMs, answered ? ANSWERED_MS : NOT_ANSWERED_MS),
    tags: [...answerTags(id, sources), everyAnswerTag(id), ...(answered ? [] : [unansweredTag(id)])],
  };
}

/** What something went wrong for is made anew by the next one who asks. */
function isKeepable({ isDegraded, rewrites }: QuestionAnswer): boolean {
  return !isDegraded && rewrites.every(({ outcome }) => outcome !== 'failed');
}

function isChunkOf(chunkId: string, documentId: DocumentId, hash: string): boolean {
  return chunkId.startsWith(chunkIdOf(documentId, hash, 0).replace(/0$/, ''));
}
