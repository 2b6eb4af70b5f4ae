import {
  arrayAt,
  isJsonObject,
  numberAt,
  objectAt,
  parseJson,
  stringAt,
  type JsonObject,
} from '../../../src/lib/json.ts';
import { decodeCitations, decodeExplain, decodeSources } from '../api/decode-query.ts';
import type { Choice } from '../api/list-choices.ts';
import { readSse, type SseEvent } from '../api/read-sse.ts';
import { failureFromBody, RequestFailure, requestIdOf, send, type Caller } from '../api/send.ts';
import { newRun, type Facts, type Run } from './run.ts';

export interface Ask {
  choice: Choice;
  question: string;
  topK: number;
}

/**
 * Asks, and yields the run each time something new is known; the last one yielded is final (`done`,
 * `stopped` or `failed`). Aborting the caller's signal closes the connection, which stops the server's work.
 */
export async function* ask(request: Ask, caller: Caller): AsyncGenerator<Run> {
  const begun = performance.now();
  const { choice, question, topK } = request;
  let run = newRun(question, choice.kind);
  yield run;
  try {
    const documents = choice.kind === 'documents';
    const response = documents
      ? await send('/v1/query', caller, queryBody(choice.name, question, topK))
      : await send('/v1/chat/completions', caller, chatBody(choice.id, question));
    run = { ...run, facts: factsOf(response) };
    if (response.body === null) throw new RequestFailure({ kind: 'unreadable', ...requestIdOf(response) });
    const apply = documents ? applyQueryEvent : applyChatEvent;
    for await (const events of readSse(response.body)) {
      if (run.facts.firstByteMs === undefined) {
        run = { ...run, phase: 'streaming', facts: { ...run.facts, firstByteMs: performance.now() - begun } };
      }
      for (const event of events) run = apply(run, event);
      if (run.phase === 'done' || run.phase === 'failed') break;
      yield run;
    }
    if (run.phase === 'waiting' || run.phase === 'streaming') {
      throw new RequestFailure({ kind: 'brokenStream', ...requestIdOf(response) });
    }
  } catch (error) {
    run = afterFailure(run, error, caller.signal);
  }
  yield { ...run, facts: { ...run.facts, totalMs: performance.now() - begun } };
}

function queryBody(collection: string, query: string, topK: number): object {
  return { query, collection, top_k: topK, stream: true, explain: true };
}

function chatBody(model: string, question: string): object {
  const messages = [{ role: 'user', content: question }];
  return { model, messages, stream: true, stream_options: { include_usage: true } };
}

function afterFailure(run: Run, error: unknown, signal: AbortSignal): Run {
  if (signal.aborted) return { ...run, phase: 'stopped' };
  const failure =
    error instanceof RequestFailure ? error.failure : ({ kind: 'brokenStream', ...idOf(run.facts) } as const);
  return { ...run, phase: 'failed', failure, facts: { ...run.facts, ...idOf(failure) } };
}

function idOf(known: { requestId?: string }): { requestId?: string } {
  return known.requestId === undefined ? {} : { requestId: known.requestId };
}

function applyQueryEvent(run: Run, event: SseEvent): Run {
  const body = parseJson(event.data);
  if (!isJsonObject(body)) return run;
  switch (event.event) {
    case 'sources':
      return { ...run, sources: decodeSources(body) };
    case 'delta':
      return { ...run, text: run.text + (stringAt(body, 'text') ?? '') };
    case 'citations':
      return { ...run, citations: decodeCitations(body) };
    case 'done':
      return applyDone(run, body);
    case 'error':
      return { ...run, phase: 'failed', failure: failureFromBody(body, idOf(run.facts)) };
    default:
      return run;
  }
}

function applyDone(run: Run, body: JsonObject): Run {
  const explain = decodeExplain(body);
  const seconds = numberAt(body, 'processing_time');
  const model = stringAt(body, 'model');
  const target = run.facts.target ?? model;
  return {
    ...run,
    phase: 'done',
    text: stringAt(body, 'answer') ?? run.text,
    answered: body['answered'] !== false,
    sources: Array.isArray(body['sources']) ? decodeSources(body) : run.sources,
    citations: Array.isArray(body['citations']) ? decodeCitations(body) : run.citations,
    facts: {
      ...run.facts,
      ...(target === undefined ? {} : { target }),
      ...(seconds === undefined ? {} : { serverMs: seconds * 1000 }),
    },
    ...(explain === undefined ? {} : { explain }),
  };
}

function applyChatEvent(run: Run, event: SseEvent): Run {
  if (event.data === '[DONE]') return { ...run, phase: 'done' };
  const body = parseJson(event.data);
  if (!isJsonObject(body)) return run;
  if (body['error'] !== undefined) {
    return { ...run, phase: 'failed', failure: failureFromBody(body, idOf(run.facts)) };
  }
  const usage = objectAt(body, 'usage');
  const facts = usage === undefined ? run.facts : { ...run.facts, ...tokensOf(usage) };
  const choice = arrayAt(body, 'choices')[0];
  const delta = isJsonObject(choice) ? (objectAt(choice, 'delta') ?? {}) : {};
  const reasoning = stringAt(delta, 'reasoning_content') ?? stringAt(delta, 'reasoning') ?? '';
  return {
    ...run,
    facts,
    text: run.text + (stringAt(delta, 'content') ?? ''),
    reasoning: run.reasoning + reasoning,
  };
}

function tokensOf(usage: JsonObject): Facts {
  const inputTokens = numberAt(usage, 'prompt_tokens');
  const outputTokens = numberAt(usage, 'completion_tokens');
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
  };
}

function factsOf(response: Response): Facts {
  const at = (name: string) => response.headers.get(`x-sekisho-${name}`) ?? undefined;
  const route = at('route');
  const target = at('target');
  const cache = at('cache');
  const costUsd = at('cost-usd');
  const overheadMs = Number.parseFloat(at('overhead-ms') ?? '');
  return {
    ...requestIdOf(response),
    ...(route === undefined ? {} : { route }),
    ...(target === undefined ? {} : { target }),
    ...(cache === undefined ? {} : { cache }),
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(Number.isFinite(overheadMs) ? { overheadMs } : {}),
  };
}
