import { arrayAt, isJsonObject, objectAt, stringAt } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, Provider } from '../../ports/provider.ts';
import type { Reach } from '../kit/reach.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessages } from './encode.ts';
import { hasData, readMessageStream } from './stream.ts';
import { decodeUsage } from './usage.ts';

export interface AnthropicProviderOptions {
  name: string;
  /** With or without the version at its end: the vendor's own SDK leaves it out. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
}

const VERSION = '2023-06-01';

/** An endpoint that speaks the Anthropic wire. */
export function createAnthropicProvider(options: AnthropicProviderOptions): Provider {
  const { name } = options;
  const base = options.baseUrl.replace(/\/v1$/, '');
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData,
    headers: () => ({ ...(options.credential && { 'x-api-key': options.credential.reveal() }), ...options.headers }),
  });

  const request = (call: ChatCall, stream: boolean) => ({
    url: `${base}/v1/messages`,
    body: messageBody(call, stream),
    target: call.target,
    signal: call.signal,
    headers: { 'anthropic-version': VERSION, ...call.forwardHeaders },
  });

  return {
    name,
    wire: 'anthropic',

    chat: async (call) => answerOf(call, await upstream.json(request(call, false))),

    streamChat: async (call) => {
      const opened = await upstream.stream(request(call, true));
      if (!('runs' in opened)) return { wire: 'anthropic', frames: wholeAsFrames(answerOf(call, opened).result()) };
      const passThrough = call.native?.wire === 'anthropic';
      return { wire: 'anthropic', frames: readMessageStream({ runs: opened.runs, target: call.target, passThrough }) };
    },

    listModels: async (signal) => {
      const headers = { 'anthropic-version': VERSION };
      const { json } = await upstream.json({ url: `${base}/v1/models?limit=1000`, target: name, signal, headers });
      return arrayAt(json, 'data').filter(isJsonObject).flatMap((model) => stringAt(model, 'id') ?? []);
    },
  };
}

function messageBody(call: ChatCall, stream: boolean): string {
  const { native, model, target } = call;
  if (native?.wire !== 'anthropic') return JSON.stringify(encodeMessages(call.request(), { model, target, stream }));
  return native.json['model'] === model ? native.text : spliceJson(native.text, { model: JSON.stringify(model) });
}

function answerOf(call: ChatCall, { json, text }: JsonAnswer): ChatAnswer {
  return {
    usage: decodeUsage(objectAt(json, 'usage') ?? {}),
    ...(call.native?.wire === 'anthropic' && { native: { wire: 'anthropic' as const, text } }),
    result: () => decodeMessage(json),
  };
}
