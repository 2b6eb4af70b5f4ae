import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { noUsage } from '../../spec/usage.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import type { FetchMedia } from '../kit/fetch-media.ts';
import type { Reach } from '../kit/reach.ts';
import { rerankResults } from '../kit/rerank-results.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { traceHeader } from '../kit/trace-header.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeResult, failureIn } from './decode.ts';
import { createEventDecoder } from './decode-event.ts';
import { embeddingAnswer, embeddingBody, MAX_BATCH } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import { cohereError } from './errors.ts';
import { findUsage } from './usage.ts';

export interface CohereProviderOptions {
  name: string;
  /** Without the version: https://api.cohere.com. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  /** Not needed: the wire takes images by address. */
  fetchMedia?: FetchMedia;
  nowMs?: () => number;
}

/** What the vendor counts as one search (docs.cohere.com/docs/how-does-cohere-pricing-work). */
const DOCUMENTS_IN_SEARCH = 100;

/** An endpoint that speaks version 2 of Cohere's wire: chat, embeddings, rerank. */
export function createCohereProvider(options: CohereProviderOptions): Provider {
  const { name, nowMs = Date.now } = options;
  const base = options.baseUrl.replace(/\/(?:v[12])?\/?$/, '');
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: bearsData,
    refusal: cohereError,
    headers: () => ({
      ...(options.credential && { authorization: `Bearer ${options.credential.reveal()}` }),
      ...options.headers,
    }),
  });

  const request = (call: ChatCall, stream: boolean) => ({
    url: `${base}/v2/chat`,
    body: JSON.stringify(encodeChatRequest(call.request(), { ...call, stream })),
    target: call.target,
    signal: call.signal,
    headers: traceHeader(call),
  });

  const passagesOf = (call: ChatCall) => call.request().passages ?? [];

  /** A whole answer; what is none, although it came with status 200, is an error. */
  async function answerOf(call: ChatCall, { json, text }: JsonAnswer): Promise<ChatAnswer> {
    const { target, model } = call;
    const reason = stringAt(json, 'finish_reason') ?? '';
    const failure = failureIn(reason, target, stringAt(json, 'error'));
    if (failure !== undefined) throw failure;
    if (objectAt(json, 'message') === undefined) {
      const error = json['error'] ?? json['message'];
      if (error !== undefined && error !== null) throw errorInAnswer(target, error);
      const cause = new Error(`not an answer: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    }
    const result = decodeResult(json, { model, nowMs: nowMs(), passages: passagesOf(call) });
    const usage = findUsage(objectAt(json, 'usage')) ?? (await estimateUsage(call.request, answeredText(result.parts)));
    return { usage, result: () => ({ ...result, usage }) };
  }

  return {
    name,
    wire: 'cohere',

    chat: async (call) => answerOf(call, await upstream.json(request(call, false))),

    streamChat: async (call): Promise<ChatStream> => {
      const { target, model } = call;
      const opened = await upstream.stream(request(call, true));
      if (!('source' in opened)) {
        return { wire: 'cohere', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      const decoder = createEventDecoder({ target, model, passages: passagesOf(call), nowMs });
      return {
        wire: 'cohere',
        frames: streamFrames(opened, target, createDecodingReader(target, decoder, estimate)),
      };
    },

    embed: async (call) => {
      const { target, signal } = call;
      const { input } = call.request;
      const answers: JsonObject[] = [];
      for (let at = 0; at < input.length; at += MAX_BATCH) {
        const body = embeddingBody(call, input.slice(at, at + MAX_BATCH));
        const url = `${base}/v2/embed`;
        answers.push((await upstream.json({ url, body, target, signal, headers: traceHeader(call) })).json);
      }
      return embeddingAnswer(call, answers);
    },

    rerank: async (call) => {
      const { model, target, signal } = call;
      const { query, documents, topN } = call.request;
      const body = JSON.stringify({ model, query, documents, ...(topN !== undefined && { top_n: topN }) });
      const url = `${base}/v2/rerank`;
      const { json } = await upstream.json({ url, body, target, signal, headers: traceHeader(call) });
      return {
        id: stringAt(json, 'id') ?? newId('rerank', nowMs()),
        model,
        results: rerankResults(json, call),
        usage: findUsage(objectAt(json, 'meta')) ?? {
          ...noUsage(),
          searchUnits: Math.max(1, Math.ceil(documents.length / DOCUMENTS_IN_SEARCH)),
        },
      };
    },

    probe: async (signal) => {
      await upstream.json({ url: `${base}/v1/models?page_size=1`, target: name, signal });
    },

    listModels: async (signal) => {
      const { json } = await upstream.json({ url: `${base}/v1/models?page_size=1000`, target: name, signal });
      return arrayAt(json, 'models')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'name') ?? [])
        .slice(0, 2_000);
    },
  };
}
