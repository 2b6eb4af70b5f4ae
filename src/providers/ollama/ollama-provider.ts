import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { noUsage } from '../../spec/usage.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateEmbeddingUsage, estimateUsage } from '../kit/estimate-usage.ts';
import { inlineMedia, type FetchMedia } from '../kit/fetch-media.ts';
import { createLineFramer, linesBearData, parseLines } from '../kit/json-lines.ts';
import type { Reach } from '../kit/reach.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { tokensAt } from '../kit/tokens-at.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { createContextLengths, windowFor } from './context-window.ts';
import { decodeResult } from './decode.ts';
import { createLineDecoder } from './decode-event.ts';
import { encodeChatRequest } from './encode.ts';
import { findUsage } from './usage.ts';

export interface OllamaProviderOptions {
  name: string;
  /** Without a path: http://127.0.0.1:11434. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  /** Gets images that callers name by address, which the wire takes as data only. Absent: they are refused. */
  fetchMedia?: FetchMedia;
  nowMs?: () => number;
}

/** An endpoint that speaks Ollama's own wire, which can do what its imitation of others cannot. */
export function createOllamaProvider(options: OllamaProviderOptions): Provider {
  const { name, nowMs = Date.now } = options;
  const base = options.baseUrl.replace(/(?:\/api)?\/?$/, '');
  const answerId = (): string => newId('chat', nowMs());
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: linesBearData,
    framer: () => createLineFramer(),
    headers: () => ({
      ...(options.credential && { authorization: `Bearer ${options.credential.reveal()}` }),
      ...options.headers,
    }),
  });

  // Asked for all callers of a model: none of them may take the answer with it when it leaves.
  const contextLength = createContextLengths(async (model) => {
    const { connectMs, firstByteMs } = options.timeouts;
    const signal = AbortSignal.timeout(connectMs + firstByteMs);
    return (await upstream.json({ url: `${base}/api/show`, body: JSON.stringify({ model }), target: name, signal }))
      .json;
  });

  async function request(call: ChatCall, stream: boolean) {
    const { fetchMedia } = options;
    const whole = await inlineMedia(call.request(), { fetchMedia, signal: call.signal });
    const body = encodeChatRequest(whole, { ...call, stream });
    const window = await windowFor(whole, () => contextLength(call.model));
    if (window !== undefined) body['options'] = { ...objectAt(body, 'options'), num_ctx: window };
    return { url: `${base}/api/chat`, body: JSON.stringify(body), target: call.target, signal: call.signal };
  }

  /** A whole answer; what is none, although it came with status 200, is an error. */
  async function answerOf(call: ChatCall, { json, text }: JsonAnswer): Promise<ChatAnswer> {
    failOn(call.target, json);
    if (objectAt(json, 'message') === undefined || json['done'] === false) {
      throw broken(call.target, `not an answer: ${text.slice(0, 500)}`);
    }
    const result = decodeResult(json, { id: answerId(), model: call.model, nowMs: nowMs() });
    const usage = findUsage(json) ?? (await estimateUsage(call.request, answeredText(result.parts)));
    return { usage, result: () => ({ ...result, usage }) };
  }

  return {
    name,
    wire: 'ollama',

    chat: async (call) => answerOf(call, await upstream.json(await request(call, false))),

    streamChat: async (call): Promise<ChatStream> => {
      const { target, model } = call;
      const opened = await upstream.stream(await request(call, true));
      if (!('source' in opened)) {
        return { wire: 'ollama', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      const decoder = createLineDecoder({ target, model, newId: answerId, nowMs });
      const reader = createDecodingReader(target, decoder, estimate, parseLines);
      return { wire: 'ollama', frames: streamFrames(opened, target, reader) };
    },

    embed: async (call) => {
      const { model, target, signal } = call;
      const { input, dimensions } = call.request;
      const body = JSON.stringify({ model, input, ...(dimensions !== undefined && { dimensions }) });
      const { json } = await upstream.json({ url: `${base}/api/embed`, body, target, signal });
      failOn(target, json);
      const vectors = arrayAt(json, 'embeddings').map((vector) =>
        Float32Array.from(Array.isArray(vector) ? vector : [], Number),
      );
      if (vectors.length !== input.length || vectors.some((vector) => vector.length === 0)) {
        throw broken(target, 'the upstream left out embeddings');
      }
      const inputTokens = tokensAt(json, 'prompt_eval_count');
      const usage =
        inputTokens === undefined ? await estimateEmbeddingUsage(input) : { ...noUsage('reported'), inputTokens };
      return { usage, result: () => ({ model: stringAt(json, 'model') ?? model, vectors, usage }) };
    },

    probe: async (signal) => {
      await upstream.json({ url: `${base}/api/version`, target: name, signal });
    },

    listModels: async (signal) => {
      const { json } = await upstream.json({ url: `${base}/api/tags`, target: name, signal });
      return arrayAt(json, 'models')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'name') ?? stringAt(model, 'model') ?? [])
        .slice(0, 2_000);
    },
  };
}

/** @throws SekishoError where the body tells of a failure, although it came with status 200. */
function failOn(target: string, { error }: JsonObject): void {
  if (error !== undefined && error !== null) throw errorInAnswer(target, error);
}

function broken(target: string, why: string): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause: new Error(why) });
}
