import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { answeredText, estimateUsage } from '../kit/estimate-usage.ts';
import { inlineMedia, type FetchMedia } from '../kit/fetch-media.ts';
import type { Reach } from '../kit/reach.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { traceHeader } from '../kit/trace-header.ts';
import { createUpstream, type JsonAnswer, type Timeouts, type UpstreamOptions } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { decodeResult, refusalIn } from './decode.ts';
import { createEventDecoder } from './decode-event.ts';
import { embed } from './embedding.ts';
import { encodeChatRequest } from './encode.ts';
import { bedrockError } from './errors.ts';
import { createMessageFramer, loadMessageParser } from './event-stream.ts';
import { createSigner } from './sign.ts';
import { decodeUsage } from './usage.ts';

export interface BedrockProviderOptions {
  name: string;
  region: string;
  /** Default: https://bedrock-runtime.<region>.amazonaws.com */
  baseUrl?: string;
  /** Keys to sign with; without them, and without a credential, calls go unsigned. */
  accessKeyId?: string;
  secretAccessKey?: Secret;
  /** Belongs to keys that were lent for a while. */
  sessionToken?: Secret;
  /** An API key of the vendor, sent as a bearer token; comes before signing. */
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  /** Gets images that callers name by address, which the wire takes as data only. Absent: they are refused. */
  fetchMedia?: FetchMedia;
  nowMs?: () => number;
}

/** The models of AWS Bedrock: Converse for chat, InvokeModel for embeddings. */
export function createBedrockProvider(options: BedrockProviderOptions): Provider {
  const { name, region, nowMs = Date.now } = options;
  const base = options.baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`;
  // Models are listed by another host of the vendor.
  const controlBase = base.replace('//bedrock-runtime', '//bedrock');
  const upstream = createUpstream({
    timeouts: options.timeouts,
    ...(options.reach && { reach: options.reach }),
    ...signing(options, nowMs),
    hasData: () => true,
    framer: createMessageFramer,
    refusal: bedrockError,
    headers: () => ({
      ...(options.credential && { authorization: `Bearer ${options.credential.reveal()}` }),
      ...options.headers,
    }),
  });
  const urlOf = (model: string, verb: string): string => `${base}/model/${encodeURIComponent(model)}/${verb}`;

  async function request(call: ChatCall, verb: 'converse' | 'converse-stream') {
    const { fetchMedia } = options;
    const whole = await inlineMedia(call.request(), { fetchMedia, signal: call.signal });
    return {
      url: urlOf(call.model, verb),
      body: JSON.stringify(encodeChatRequest(whole, call)),
      target: call.target,
      signal: call.signal,
      headers: traceHeader(call),
    };
  }

  /** A whole answer; what is none, although it came with status 200, is an error. */
  async function answerOf(call: ChatCall, { json, text, headers }: JsonAnswer): Promise<ChatAnswer> {
    const { target, model } = call;
    const refusal = refusalIn(stringAt(json, 'stopReason') ?? '', target);
    if (refusal !== undefined) throw refusal;
    if (objectAt(objectAt(json, 'output') ?? {}, 'message') === undefined) {
      const cause = new Error(`no message: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    }
    const id = headers.get('x-amzn-requestid') ?? newId('gen', nowMs());
    const result = decodeResult(json, { id, model, nowMs: nowMs() });
    const reported = objectAt(json, 'usage');
    const usage =
      reported === undefined ? await estimateUsage(call.request, answeredText(result.parts)) : decodeUsage(reported);
    return { usage, result: () => ({ ...result, usage }) };
  }

  async function list(path: string, key: string, idKey: string, signal: AbortSignal): Promise<string[]> {
    const { json } = await upstream.json({ url: `${controlBase}${path}`, target: name, signal });
    return arrayAt(json, key)
      .filter(isJsonObject)
      .flatMap((model) => stringAt(model, idKey) ?? []);
  }

  return {
    name,
    wire: 'bedrock',

    chat: async (call) => answerOf(call, await upstream.json(await request(call, 'converse'))),

    streamChat: async (call): Promise<ChatStream> => {
      const { target, model } = call;
      const [sent, parse] = await Promise.all([request(call, 'converse-stream'), loadMessageParser()]);
      const opened = await upstream.stream(sent);
      if (!('source' in opened)) {
        return { wire: 'bedrock', frames: wholeAsFrames((await answerOf(call, opened)).result()) };
      }
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      const decoder = createEventDecoder({ target, model, id: newId('gen', nowMs()), nowMs });
      const reader = createDecodingReader(target, decoder, estimate, parse);
      return { wire: 'bedrock', frames: streamFrames(opened, target, reader) };
    },

    countTokens: async (call) => {
      const { target, signal } = call;
      const { fetchMedia } = options;
      const whole = await inlineMedia(call.request(), { fetchMedia, signal });
      const { messages, system, toolConfig, additionalModelRequestFields } = encodeChatRequest(whole, call);
      const converse = { messages, system, toolConfig, additionalModelRequestFields };
      const body = JSON.stringify({ input: { converse } });
      const url = urlOf(withoutPlace(call.model), 'count-tokens');
      const { json, text } = await upstream.json({ url, body, target, signal });
      const tokens = numberAt(json, 'inputTokens');
      if (tokens !== undefined && tokens >= 0) return tokens;
      const cause = new Error(`not a count: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    },

    embed: (call) =>
      embed(call, (body: JsonObject) =>
        upstream.json({
          url: urlOf(call.model, 'invoke'),
          body: JSON.stringify(body),
          target: call.target,
          signal: call.signal,
          headers: traceHeader(call),
        }),
      ),

    probe: async (signal) => {
      await list('/foundation-models?byInferenceType=ON_DEMAND', 'modelSummaries', 'modelId', signal);
    },

    listModels: async (signal) => {
      const models = await list('/foundation-models', 'modelSummaries', 'modelId', signal);
      // Newer models are called by a profile. Who may list models may not always list profiles.
      const profiles = await list(
        '/inference-profiles?maxResults=1000',
        'inferenceProfileSummaries',
        'inferenceProfileId',
        signal,
      ).catch(() => []);
      return [...profiles, ...models].slice(0, 2_000);
    },
  };
}

/** Tokens are counted by models, not by their profiles for a place: `us.anthropic.claude-…` is counted without `us.`. */
function withoutPlace(model: string): string {
  return model.replace(/^[a-z-]{2,8}\.(?=(anthropic|amazon|meta|mistral)\.)/, '');
}

function signing(options: BedrockProviderOptions, nowMs: () => number): Pick<UpstreamOptions, 'sign'> {
  const { credential, accessKeyId, secretAccessKey, sessionToken, region } = options;
  if (credential !== undefined || accessKeyId === undefined || secretAccessKey === undefined) return {};
  return {
    sign: createSigner({
      accessKeyId,
      secretAccessKey,
      ...(sessionToken && { sessionToken }),
      region,
      service: 'bedrock',
      nowMs,
    }),
  };
}
