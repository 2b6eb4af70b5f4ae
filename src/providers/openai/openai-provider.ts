import { arrayAt, isJsonObject, objectAt, stringAt } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { noUsage } from '../../spec/usage.ts';
import type { Reach } from '../kit/reach.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeChatResult } from './decode.ts';
import { embeddingAnswer, embeddingBody } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import { decodeStream, passThrough } from './stream.ts';
import { findUsage } from './usage.ts';

export interface OpenAiProviderOptions {
  name: string;
  /** Up to and with the version: https://api.openai.com/v1. For Azure: the resource's address. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  flavour?: 'standard' | 'azure';
  /** Azure's api-version. */
  apiVersion?: string;
  reach?: Reach;
}

/** An endpoint that speaks the OpenAI wire: OpenAI itself, Azure, Groq, Mistral, vLLM, llama.cpp, Ollama and others. */
export function createOpenAiProvider(options: OpenAiProviderOptions): Provider {
  const { name, baseUrl, flavour = 'standard' } = options;
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: (run) => run.includes('data:'),
    headers: () => ({ ...credentialHeader(options.credential, flavour), ...options.headers }),
  });

  const urlOf = (model: string, path: string): string =>
    flavour === 'azure'
      ? `${baseUrl}/openai/deployments/${encodeURIComponent(model)}${path}?api-version=${options.apiVersion ?? ''}`
      : `${baseUrl}${path}`;

  const request = (call: ChatCall, body: string) => ({
    url: urlOf(call.model, '/chat/completions'),
    body,
    target: call.target,
    signal: call.signal,
    ...(call.forwardHeaders && { headers: pick(call.forwardHeaders, 'openai-beta') }),
  });

  return {
    name,
    wire: 'openai',

    chat: async (call) => answerOf(call, await upstream.json(request(call, chatBody(call, false)))),

    streamChat: async (call): Promise<ChatStream> => {
      const native = call.native?.wire === 'openai' ? call.native : undefined;
      const hideUsage = native !== undefined && !asksForUsage(native.json['stream_options']);
      const opened = await upstream.stream(request(call, chatBody(call, true)));
      if (!('runs' in opened)) return { wire: 'openai', frames: wholeAsFrames(answerOf(call, opened).result()) };
      const reading = { runs: opened.runs, target: call.target };
      return { wire: 'openai', frames: native ? passThrough({ ...reading, hideUsage }) : decodeStream(reading) };
    },

    embed: async (call) => {
      const url = urlOf(call.model, '/embeddings');
      const answer = await upstream.json({ url, body: embeddingBody(call), target: call.target, signal: call.signal });
      return embeddingAnswer(call, answer);
    },

    listModels: async (signal) => {
      const url = flavour === 'azure' ? `${baseUrl}/openai/models?api-version=${options.apiVersion ?? ''}` : `${baseUrl}/models`;
      const { json } = await upstream.json({ url, target: name, signal });
      return arrayAt(json, 'data')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'id') ?? [])
        .slice(0, 2_000);
    },
  };
}

/** The caller's body with the target's model name and, on streams, the wish for usage; or one from the vocabulary. */
function chatBody(call: ChatCall, stream: boolean): string {
  const { native, model, target } = call;
  if (native?.wire !== 'openai') return JSON.stringify(encodeChatRequest(call.request(), { model, target, stream }));
  const values: Record<string, string> = {};
  if (native.json['model'] !== model) values['model'] = JSON.stringify(model);
  if (stream && !asksForUsage(native.json['stream_options'])) {
    const given = objectAt(native.json, 'stream_options');
    values['stream_options'] = JSON.stringify({ ...given, include_usage: true });
  }
  return Object.keys(values).length === 0 ? native.text : spliceJson(native.text, values);
}

function answerOf(call: ChatCall, { json, text }: JsonAnswer): ChatAnswer {
  return {
    usage: findUsage(json) ?? noUsage(),
    ...(call.native?.wire === 'openai' && { native: { wire: 'openai' as const, text } }),
    result: () => decodeChatResult(json),
  };
}

function asksForUsage(options: unknown): boolean {
  return isJsonObject(options) && options['include_usage'] === true;
}

function credentialHeader(credential: Secret | undefined, flavour: 'standard' | 'azure'): Record<string, string> {
  if (credential === undefined) return {};
  return flavour === 'azure' ? { 'api-key': credential.reveal() } : { authorization: `Bearer ${credential.reveal()}` };
}

function pick(headers: Readonly<Record<string, string>>, name: string): Record<string, string> {
  const value = headers[name];
  return value === undefined ? {} : { [name]: value };
}
