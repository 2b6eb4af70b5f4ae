import { arrayAt, isJsonObject, numberAt, objectAt, stringAt } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import type { Reach } from '../kit/reach.ts';
import { passedDecoder } from '../kit/passed-decoder.ts';
import { createPassingReader } from '../kit/passing-reader.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeMessage } from './decode.ts';
import { createEventDecoder } from './decode-event.ts';
import { encodeChatRequest } from './encode.ts';
import { createPassing } from './passing.ts';
import { decodeUsage } from './usage.ts';

export interface AnthropicProviderOptions {
  name: string;
  /** With or without the version: https://api.anthropic.com, or https://host/anthropic/v1. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  nowMs?: () => number;
}

const API_VERSION = '2023-06-01';
const FORWARDED = ['anthropic-beta', 'anthropic-version', 'traceparent'] as const;

/** An endpoint that speaks the Anthropic wire: Anthropic itself and whoever serves its Messages API. */
export function createAnthropicProvider(options: AnthropicProviderOptions): Provider {
  const { name, nowMs = Date.now } = options;
  const base = /\/v\d+$/.test(options.baseUrl) ? options.baseUrl : `${options.baseUrl}/v1`;
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: bearsData,
    headers: () => ({
      ...(options.credential && { 'x-api-key': options.credential.reveal() }),
      ...options.headers,
    }),
  });

  const request = (call: ChatCall, stream: boolean) => ({
    url: `${base}/messages`,
    body: chatBody(call, stream),
    target: call.target,
    signal: call.signal,
    headers: forwarded(call.forwardHeaders),
  });

  /** A whole answer; what is none, although it came with status 200, is an error. */
  async function answerOf(call: ChatCall, { json, text }: JsonAnswer): Promise<ChatAnswer> {
    if (!Array.isArray(json['content'])) {
      const { error } = json;
      if (error !== undefined && error !== null) throw errorInAnswer(call.target, error);
      const cause = new Error(`not a message: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
    }
    const result = () => decodeMessage(json, nowMs());
    const reported = objectAt(json, 'usage');
    const usage =
      reported === undefined ? await estimateUsage(call.request, answeredText(result().parts)) : decodeUsage(reported);
    return {
      usage,
      ...(call.native?.wire === 'anthropic' && { native: { wire: 'anthropic' as const, text } }),
      result: () => ({ ...result(), usage }),
    };
  }

  return {
    name,
    wire: 'anthropic',

    chat: async (call) => answerOf(call, await upstream.json(request(call, false))),

    streamChat: async (call): Promise<ChatStream> => {
      const opened = await upstream.stream(request(call, true));
      const { target } = call;
      if (!('source' in opened)) {
        return { wire: 'anthropic', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      if (call.native?.wire !== 'anthropic') {
        const reader = createDecodingReader(target, createEventDecoder(target, nowMs), estimate);
        return { wire: 'anthropic', frames: streamFrames(opened, target, reader) };
      }
      const reader = createPassingReader(target, createPassing(target));
      const decoder = passedDecoder(() => createEventDecoder(target, nowMs));
      return { wire: 'anthropic', frames: streamFrames(opened, target, reader), decoder };
    },

    countTokens: async (call) => {
      const { target, signal } = call;
      const { json, text } = await upstream.json({
        url: `${base}/messages/count_tokens`,
        body: countBody(call),
        target,
        signal,
        headers: forwarded(call.forwardHeaders),
      });
      const tokens = numberAt(json, 'input_tokens');
      if (tokens !== undefined && tokens >= 0) return tokens;
      const cause = new Error(`not a count: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    },

    probe: async (signal) => {
      await upstream.json({ url: `${base}/models?limit=1`, target: name, signal, headers: forwarded(undefined) });
    },

    listModels: async (signal) => {
      const url = `${base}/models?limit=1000`;
      const { json } = await upstream.json({ url, target: name, signal, headers: forwarded(undefined) });
      return arrayAt(json, 'data')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'id') ?? [])
        .slice(0, 2_000);
    },
  };
}

/** The caller's body with the target's model name, or one from the vocabulary. */
function chatBody(call: ChatCall, stream: boolean): string {
  const { native, model } = call;
  if (native?.wire !== 'anthropic') return JSON.stringify(encodeChatRequest(call.request(), { ...call, stream }));
  // Also where the name is the same already: of several `model` fields the upstream might read another one.
  return spliceJson(native.text, { model: JSON.stringify(model) });
}

/** Fields that counting takes; it refuses the others. */
const COUNTED = ['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking'];

/** What is to be counted: the caller's body with the target's model name, or one from the vocabulary. */
function countBody(call: ChatCall): string {
  if (call.native?.wire === 'anthropic') return chatBody(call, false);
  const whole = encodeChatRequest(call.request(), { ...call, stream: false });
  return JSON.stringify(Object.fromEntries(COUNTED.map((name) => [name, whole[name]])));
}

function forwarded(given: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const headers: Record<string, string> = { 'anthropic-version': API_VERSION };
  for (const name of FORWARDED) {
    const value = given?.[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}
