import { arrayAt, isJsonObject, stringAt } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider, WireBody } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import type { Reach } from '../kit/reach.ts';
import { passedDecoder } from '../kit/passed-decoder.ts';
import { createPassingReader } from '../kit/passing-reader.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { traceHeader } from '../kit/trace-header.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type JsonAnswer, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { createChunkDecoder } from './decode-chunk.ts';
import { embeddingAnswer, embeddingBody } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import type { PassedForm } from './forms/body-form.ts';
import { chatForm, wantsUsage } from './forms/chat-form.ts';
import { completionsForm } from './forms/completions-form.ts';
import { responsesForm } from './forms/responses-form.ts';
import { openAiRerank, type RerankShape } from './rerank.ts';
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
  /**
   * What the endpoint takes beside chat; a body of such a form is passed through, any other is translated to chat.
   * Absent: responses where the vendor itself or Azure answers, nothing anywhere else.
   */
  forms?: readonly ('responses' | 'completions')[];
  /** What the endpoint calls the texts it reranks. Absent: documents. */
  rerank?: RerankShape;
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

  const urlOf = (model: string, path: string): string => {
    if (flavour === 'standard') return `${baseUrl}${path}`;
    // Azure's responses stand beside its deployments and name theirs in the body.
    if (path === responsesForm.path) return `${baseUrl}/openai/v1${path}`;
    return `${baseUrl}/openai/deployments/${encodeURIComponent(model)}${path}?api-version=${options.apiVersion ?? ''}`;
  };

  const modelsUrl =
    flavour === 'azure' ? `${baseUrl}/openai/models?api-version=${options.apiVersion ?? ''}` : `${baseUrl}/models`;

  const taken = options.forms ?? (isVendor ? ['responses'] : []);
  const forms: readonly PassedForm[] = [
    chatForm,
    ...(taken.includes('responses') ? [responsesForm] : []),
    ...(taken.includes('completions') ? [completionsForm] : []),
  ];

  /** The caller's body and its form, where the endpoint takes it as it is. */
  function passed({ native }: ChatCall): Passed | undefined {
    const form = native && forms.find((each) => each.form === native.wire);
    return native && form && { form, native };
  }

  const request = (call: ChatCall, pass: Passed | undefined, stream: 'no' | 'plain' | 'with usage') => ({
    url: urlOf(call.model, (pass?.form ?? chatForm).path),
    body: pass === undefined ? translated(call, stream) : passedBody(call, pass, stream),
    target: call.target,
    signal: call.signal,
    ...(call.forwardHeaders && { headers: { ...pick(call.forwardHeaders, 'openai-beta'), ...traceHeader(call) } }),
  });

  const translated = (call: ChatCall, stream: 'no' | 'plain' | 'with usage'): string =>
    JSON.stringify(encodeChatRequest(call.request(), { ...call, stream, maxTokensField }));

  async function openStream(call: ChatCall, pass: Passed | undefined) {
    const asks = takesStreamOptions && (pass?.form.asksForUsage ?? true);
    if (!asks) return upstream.stream(request(call, pass, 'plain'));
    try {
      return await upstream.stream(request(call, pass, 'with usage'));
    } catch (thrown) {
      if (!refusesStreamOptions(thrown) || (call.native && wantsUsage(call.native.json))) throw thrown;
      takesStreamOptions = false;
      return upstream.stream(request(call, pass, 'plain'));
    }
  }

  return {
    name,
    wire: 'openai',

    chat: async (call) => {
      const pass = passed(call);
      return answerOf(call, pass, await upstream.json(request(call, pass, 'no')));
    },

    streamChat: async (call): Promise<ChatStream> => {
      const pass = passed(call);
      const opened = await openStream(call, pass);
      if (!('source' in opened)) {
        return { wire: 'openai', frames: wholeAsFrames((await answerOf(call, pass, opened)).result()) };
      }
      const { target } = call;
      if (pass === undefined) {
        const estimate = (answered: string) => estimateUsage(call.request, answered);
        const reader = createDecodingReader(target, createChunkDecoder(target), estimate);
        return { wire: 'openai', frames: streamFrames(opened, target, reader) };
      }
      const reader = createPassingReader(target, pass.form.passing(target, pass.native.json));
      const decoder = passedDecoder(() => pass.form.decoder(target));
      return { wire: 'openai', frames: streamFrames(opened, target, reader), decoder };
    },

    embed: async (call) => {
      const url = urlOf(call.model, '/embeddings');
      const { target, signal } = call;
      const answer = await upstream.json({
        url,
        body: embeddingBody(call),
        target,
        signal,
        headers: traceHeader(call),
      });
      return embeddingAnswer(call, answer);
    },

    rerank: (call) => openAiRerank(upstream, { url: urlOf(call.model, '/rerank'), shape: options.rerank }, call),

    probe: async (signal) => {
      await upstream.json({ url: modelsUrl, target: name, signal });
    },

    listModels: async (signal) => {
      const { json } = await upstream.json({ url: modelsUrl, target: name, signal });
      return arrayAt(json, 'data')
        .filter(isJsonObject)
        .flatMap((model) => stringAt(model, 'id') ?? [])
        .slice(0, 2_000);
    },
  };
}

/** A body that is passed through, and what is known of its form. */
interface Passed {
  form: PassedForm;
  native: WireBody;
}

/** The caller's body with the target's model name and, on streams, the wish for usage. */
function passedBody(call: ChatCall, { form, native }: Passed, stream: 'no' | 'plain' | 'with usage'): string {
  // Also where the name is the same already: of several `model` fields the upstream might read another one.
  const values: Record<string, string> = { model: JSON.stringify(call.model) };
  if (stream === 'with usage' && form.asksForUsage && !wantsUsage(native.json)) {
    const asked = native.json['stream_options'];
    values['stream_options'] = JSON.stringify({ ...(isJsonObject(asked) && asked), include_usage: true });
  }
  return spliceJson(native.text, values);
}

/** A whole answer; what is none, although it came with status 200, is an error. */
async function answerOf(call: ChatCall, pass: Passed | undefined, { json, text }: JsonAnswer): Promise<ChatAnswer> {
  const form = pass?.form ?? chatForm;
  if (!form.isAnswer(json)) {
    const { error } = json;
    if (error !== undefined && error !== null) throw errorInAnswer(call.target, error);
    const cause = new Error(`not an answer: ${text.slice(0, 500)}`);
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const result = () => form.decode(json);
  const usage = findUsage(json) ?? (await estimateUsage(call.request, answeredText(result().parts)));
  return {
    usage,
    ...(pass && { native: { wire: pass.form.form, text } }),
    result: () => ({ ...result(), usage }),
  };
}

function refusesStreamOptions(thrown: unknown): boolean {
  return (
    thrown instanceof SekishoError &&
    thrown.code === 'upstream_rejected' &&
    JSON.stringify(thrown.values).includes('stream_options')
  );
}

function credentialHeader(credential: Secret | undefined, flavour: 'standard' | 'azure'): Record<string, string> {
  if (credential === undefined) return {};
  return flavour === 'azure' ? { 'api-key': credential.reveal() } : { authorization: `Bearer ${credential.reveal()}` };
}

function pick(headers: Readonly<Record<string, string>>, name: string): Record<string, string> {
  const value = headers[name];
  return value === undefined ? {} : { [name]: value };
}
