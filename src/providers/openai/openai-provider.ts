import { arrayAt, isJsonObject, numberAt, stringAt } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import type { Reach } from '../kit/reach.ts';
import { createPassingReader } from '../kit/passing-reader.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeChatResult } from './decode.ts';
import { createChunkDecoder } from './decode-chunk.ts';
import { embeddingAnswer, embeddingBody } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import { createPassing } from './passing.ts';
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

/** The vendor itself wants the new word for a limit on the answer; everybody else knows the old one, some only that. */
const NEW_WORDS = /(^|\.)(openai\.com|openai\.azure\.com|cognitiveservices\.azure\.com)$/;

/** An endpoint that speaks the OpenAI wire: OpenAI itself, Azure, Groq, Mistral, vLLM, llama.cpp, Ollama and others. */
export function createOpenAiProvider(options: OpenAiProviderOptions): Provider {
  const { name, baseUrl, flavour = 'standard' } = options;
  const isVendor = flavour === 'azure' || NEW_WORDS.test(new URL(baseUrl).hostname);
  const maxTokensField = isVendor ? 'max_completion_tokens' : 'max_tokens';
  // Some upstreams (Mistral) report usage unasked and refuse to be asked; they are asked once.
  let takesStreamOptions = true;
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    hasData: bearsData,
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

  /** The caller's body with the target's model name and, on streams, the wish for usage; or one from the vocabulary. */
  function chatBody(call: ChatCall, stream: 'no' | 'plain' | 'with usage'): string {
    const { native, model, target } = call;
    if (native?.wire !== 'openai') {
      return JSON.stringify(encodeChatRequest(call.request(), { model, target, stream, maxTokensField }));
    }
    // Also where the name is the same already: of several `model` fields the upstream might read another one.
    const values: Record<string, string> = { model: JSON.stringify(model) };
    const asked = native.json['stream_options'];
    if (stream === 'with usage' && !asksForUsage(asked)) {
      values['stream_options'] = JSON.stringify({ ...(isJsonObject(asked) && asked), include_usage: true });
    }
    return spliceJson(native.text, values);
  }

  async function openStream(call: ChatCall) {
    if (!takesStreamOptions) return upstream.stream(request(call, chatBody(call, 'plain')));
    try {
      return await upstream.stream(request(call, chatBody(call, 'with usage')));
    } catch (thrown) {
      if (!refusesStreamOptions(thrown) || asksForUsage(call.native?.json['stream_options'])) throw thrown;
      takesStreamOptions = false;
      return upstream.stream(request(call, chatBody(call, 'plain')));
    }
  }

  return {
    name,
    wire: 'openai',

    chat: async (call) => answerOf(call, await upstream.json(request(call, chatBody(call, 'no')))),

    streamChat: async (call): Promise<ChatStream> => {
      const opened = await openStream(call);
      if (!('source' in opened)) {
        return { wire: 'openai', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const { target, native } = call;
      if (native?.wire !== 'openai') {
        const estimate = (answered: string) => estimateUsage(call.request, answered);
        const reader = createDecodingReader(target, createChunkDecoder(target), estimate);
        return { wire: 'openai', frames: streamFrames(opened, target, reader) };
      }
      const usageChunk = asksForUsage(native.json['stream_options']) ? 'show' : 'hide';
      const choices = Math.max(1, numberAt(native.json, 'n') ?? 1);
      const reader = createPassingReader(target, createPassing({ target, usageChunk, choices }));
      return { wire: 'openai', frames: streamFrames(opened, target, reader) };
    },

    embed: async (call) => {
      const url = urlOf(call.model, '/embeddings');
      const answer = await upstream.json({ url, body: embeddingBody(call), target: call.target, signal: call.signal });
      return embeddingAnswer(call, answer);
    },

    listModels: async (signal) => {
      const url =
        flavour === 'azure' ? `${baseUrl}/openai/models?api-version=${options.apiVersion ?? ''}` : `${baseUrl}/models`;
      const { json } = await upstream.json({ url, target: name, signal });
      return arrayAt(json, 'data')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'id') ?? [])
        .slice(0, 2_000);
    },
  };
}

/** A whole answer; what is none, although it came with status 200, is an error. */
async function answerOf(call: ChatCall, { json, text }: JsonAnswer): Promise<ChatAnswer> {
  if (!Array.isArray(json['choices'])) {
    const { error } = json;
    if (error !== undefined && error !== null) throw errorInAnswer(call.target, error);
    const cause = new Error(`not a chat completion: ${text.slice(0, 500)}`);
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const result = () => decodeChatResult(json);
  const usage = findUsage(json) ?? (await estimateUsage(call.request, answeredText(result().parts)));
  return {
    usage,
    ...(call.native?.wire === 'openai' && { native: { wire: 'openai' as const, text } }),
    result: () => ({ ...result(), usage }),
  };
}

function refusesStreamOptions(thrown: unknown): boolean {
  return (
    thrown instanceof SekishoError &&
    thrown.code === 'upstream_rejected' &&
    String(thrown.values['problem']).includes('stream_options')
  );
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
