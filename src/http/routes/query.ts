import { Hono } from 'hono';
import { formatSse } from '../../lib/format-sse.ts';
import type { AnswerEvent, AnswerQuestion, Question, QuestionAnswer } from '../../rag/answer-question.ts';
import { pageOf, shownMetadata } from '../../rag/pages.ts';
import type { Verification } from '../../rag/answer/write-answer.ts';
import type { Hit } from '../../spec/document.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import { actingByBody } from '../acting-as.ts';
import { callHeaders } from '../call-headers.ts';
import {
  queryRequestSchema,
  type QueryEvents,
  type QueryResponse,
  type QuerySource,
  type QueryVerification,
} from '../contract/query.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { readValid } from '../read-body.ts';
import { STREAM_HEADERS, streamBody } from '../stream-body.ts';
import { requireCollection } from './search.ts';

export interface QueryRouteDeps {
  answerQuestion: AnswerQuestion;
}

/** `POST /v1/query`: a question to a collection, answered with citations, whole or as events. */
export function queryRoutes({ answerQuestion }: QueryRouteDeps): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/query', async (context) => {
    const request = await readValid(context, queryRequestSchema);
    const { requestId, principal: caller, signal, ...headers } = callHeaders(context);
    const principal = actingByBody(caller, request.as);
    requireCollection(principal, request.collection);
    const question: Question = {
      requestId,
      principal,
      origin: headers,
      collection: request.collection,
      question: request.query,
      history: request.history.map(({ role, content }) => ({ role, parts: [{ type: 'text', text: content }] })),
      ...(request.top_k !== undefined && { topK: request.top_k }),
      ...(request.mode !== undefined && { mode: request.mode }),
      ...(request.rerank !== undefined && { rerank: request.rerank }),
      signal,
      stream: request.stream,
      ...(request.filters !== undefined && { filters: request.filters }),
    };
    const events = answerQuestion(question);
    if (request.stream) {
      // Hits come first, so whatever is wrong with the question is still an answer with a status.
      const first = await events.next();
      const body = streamBody(renderEvents(first, events, { context, explain: request.explain }), () => undefined);
      const cache = first.done !== true && first.value.type === 'sources' ? first.value.cache : 'miss';
      return new Response(body, { headers: { ...STREAM_HEADERS, 'x-sekisho-cache': cache } });
    }
    let cache: CacheOutcome = 'miss';
    for await (const event of events) {
      if (event.type === 'begun') cache = event.facts.cache;
      if (event.type !== 'done') continue;
      return context.json(responseOf(event.result, request.explain, cache), 200, {
        'x-sekisho-cache': cache,
      });
    }
    throw new SekishoError('internal', { cause: new Error('a question without an answer') });
  });
}

type CacheOutcome = 'hit' | 'miss';

async function* renderEvents(
  first: IteratorResult<AnswerEvent>,
  rest: AsyncGenerator<AnswerEvent>,
  { context, explain }: { context: HttpContext; explain: boolean },
): AsyncGenerator<Uint8Array> {
  const utf8 = new TextEncoder();
  const send = <K extends keyof QueryEvents>(event: K, data: QueryEvents[K]): Uint8Array =>
    utf8.encode(formatSse({ event, data: JSON.stringify(data) }));
  try {
    let cache: CacheOutcome = 'miss';
    for (let next = first; next.done !== true; next = await rest.next()) {
      const event = next.value;
      if (event.type === 'sources') yield send('sources', { sources: event.sources.map(sourceOf) });
      else if (event.type === 'begun') cache = event.facts.cache;
      else if (event.type === 'done') {
        yield send('verification', verificationOf(event.result.verification));
        yield send('done', responseOf(event.result, explain, cache));
      } else if (event.part.type === 'text') yield send('delta', { text: event.part.text });
      else if (event.part.type === 'citations') yield send('citations', { citations: event.part.citations });
    }
  } catch (thrown) {
    const error = toSekishoError(thrown);
    const message = error.messageIn(context.get('language'));
    yield send('error', { error: { code: error.code, message, request_id: context.get('requestId') } });
  } finally {
    await rest.return(undefined);
  }
}

/** An answer as it is sent. */
function verificationOf({ policy, sentences, withheld, precision, coverage }: Verification): QueryVerification {
  return {
    policy,
    sentences: sentences.map((each) => ({ ...each, reasons: [...each.reasons], citations: [...each.citations] })),
    withheld,
    citation_precision: precision,
    citation_coverage: coverage,
  };
}

export function responseOf(result: QuestionAnswer, explain: boolean, cache: CacheOutcome = 'miss'): QueryResponse {
  return {
    answer: result.answer,
    citations: result.citations,
    sources: result.sources.map(sourceOf),
    processing_time: (result.timingsMs['totalMs'] ?? 0) / 1000,
    model: result.model,
    answered: result.answered,
    verification: verificationOf(result.verification),
    cache,
    ...(explain && {
      explain: {
        hits: result.sources.map(({ chunkId, score, explain: record }) => ({
          chunk_id: chunkId,
          ...(record?.lexical && { lexical: record.lexical }),
          ...(record?.dense && { dense: record.dense }),
          fused: record?.fused ?? score,
        })),
        rewrites: result.rewrites.map((step) => ({ ...step, queries: [...step.queries] })),
        timings: result.timingsMs,
      },
    }),
  };
}

function sourceOf(hit: Hit): QuerySource {
  return {
    document_id: hit.documentId,
    chunk_id: hit.chunkId,
    start: hit.start,
    end: hit.end,
    title: hit.title,
    heading_path: hit.headingPath,
    content: hit.content,
    score: hit.score,
    ...pageOf(hit),
    metadata: shownMetadata(hit.metadata),
  };
}
