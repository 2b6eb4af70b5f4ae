import { arrayAt, isJsonObject, numberAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import { inlineMedia, type FetchMedia } from '../kit/fetch-media.ts';
import type { Reach } from '../kit/reach.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { traceHeader } from '../kit/trace-header.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeResult, firstCandidate, refusalIn } from './decode.ts';
import { createEventDecoder } from './decode-event.ts';
import { embeddingAnswer, embeddingBody, MAX_BATCH } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import { geminiError, geminiErrorInAnswer } from './errors.ts';
import { fullName, modelPath } from './model-name.ts';
import { findUsage } from './usage.ts';

export interface GeminiProviderOptions {
  name: string;
  /** With or without the version: https://generativelanguage.googleapis.com, or https://host/v1beta. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  /** Gets images that callers name by address, which the wire takes as data only. Absent: they are refused. */
  fetchMedia?: FetchMedia;
  nowMs?: () => number;
}

/** An endpoint that speaks Google's generateContent: the Gemini API itself and whoever serves it. */
export function createGeminiProvider(options: GeminiProviderOptions): Provider {
  const { name, nowMs = Date.now } = options;
  const base = /\/v\d/.test(new URL(options.baseUrl).pathname) ? options.baseUrl : `${options.baseUrl}/v1beta`;
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: bearsData,
    refusal: geminiError,
    headers: () => ({
      ...(options.credential && { 'x-goog-api-key': options.credential.reveal() }),
      ...options.headers,
    }),
  });

  async function request(call: ChatCall, method: string) {
    const { fetchMedia } = options;
    const whole = await inlineMedia(call.request(), { fetchMedia, signal: call.signal });
    return {
      url: `${base}/${modelPath(call.model)}:${method}`,
      body: JSON.stringify(encodeChatRequest(whole, call)),
      target: call.target,
      signal: call.signal,
      headers: traceHeader(call),
    };
  }

  /** A whole answer; what is none, although it came with status 200, is an error. */
  async function answerOf(call: ChatCall, { json, text }: JsonAnswer): Promise<ChatAnswer> {
    const refusal = refusalIn(json, call.target);
    if (refusal !== undefined) throw refusal;
    if (firstCandidate(json) === undefined) {
      const { error } = json;
      if (error !== undefined && error !== null) throw geminiErrorInAnswer(call.target, error);
      const cause = new Error(`no candidates: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
    }
    const result = decodeResult(json, { model: call.model, nowMs: nowMs() });
    const usage = findUsage(json) ?? (await estimateUsage(call.request, answeredText(result.parts)));
    return { usage, result: () => ({ ...result, usage }) };
  }

  return {
    name,
    wire: 'gemini',

    chat: async (call) => answerOf(call, await upstream.json(await request(call, 'generateContent'))),

    streamChat: async (call): Promise<ChatStream> => {
      const { target, model } = call;
      const opened = await upstream.stream(await request(call, 'streamGenerateContent?alt=sse'));
      if (!('source' in opened)) {
        return { wire: 'gemini', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      const reader = createDecodingReader(target, createEventDecoder({ target, model, nowMs }), estimate);
      return { wire: 'gemini', frames: streamFrames(opened, target, reader) };
    },

    countTokens: async (call) => {
      const { model, target, signal } = call;
      const { fetchMedia } = options;
      const whole = await inlineMedia(call.request(), { fetchMedia, signal });
      const body = JSON.stringify({
        generateContentRequest: { model: fullName(model), ...encodeChatRequest(whole, call) },
      });
      const { json, text } = await upstream.json({
        url: `${base}/${modelPath(model)}:countTokens`,
        body,
        target,
        signal,
      });
      const tokens = numberAt(json, 'totalTokens');
      if (tokens !== undefined && tokens >= 0) return tokens;
      const cause = new Error(`not a count: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    },

    embed: async (call) => {
      const answers: JsonObject[] = [];
      for (let at = 0; at < call.request.input.length; at += MAX_BATCH) {
        const { method, body } = embeddingBody(call, call.request.input.slice(at, at + MAX_BATCH));
        const url = `${base}/${modelPath(call.model)}:${method}`;
        const { target, signal } = call;
        answers.push((await upstream.json({ url, body, target, signal, headers: traceHeader(call) })).json);
      }
      return embeddingAnswer(call, answers);
    },

    probe: async (signal) => {
      await upstream.json({ url: `${base}/models?pageSize=1`, target: name, signal });
    },

    listModels: async (signal) => {
      const { json } = await upstream.json({ url: `${base}/models?pageSize=1000`, target: name, signal });
      return arrayAt(json, 'models')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'name')?.replace(/^models\//, '') ?? [])
        .slice(0, 2_000);
    },
  };
}
