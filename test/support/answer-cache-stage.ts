import { decodeChatRequest } from '../../src/http/dialects/openai/decode-request.ts';
import type { JsonObject } from '../../src/lib/json.ts';
import type { ChatAnswer, ChatStream, StreamFrame } from '../../src/ports/provider.ts';
import type { ChatResult, StreamPart } from '../../src/spec/chat.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { noUsage } from '../../src/spec/usage.ts';
import type { CachePolicy } from '../../src/gateway/catalogue.ts';
import type { ModelCall } from '../../src/gateway/model-call.ts';
import {
  createAnswerCache,
  type CacheEvent,
  type CacheLead,
  type CacheLook,
} from '../../src/gateway/cache/answer-cache.ts';
import type { CachedPlan } from '../../src/gateway/cache/answer-key.ts';

export const POLICY: CachePolicy = { ttlMs: 60_000, scope: 'tenant' };
export const BODY = { model: 'fast', messages: [{ role: 'user', content: 'What is a sekisho?' }], temperature: 0.2 };

export const principal = (more: Partial<Principal> = {}): Principal => ({
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'member',
  allowedRoutes: [],
  limits: {},
  ...more,
});

export function callOf(body: JsonObject = BODY, more: Partial<ModelCall> = {}): ModelCall {
  return {
    requestId: 'req_1',
    principal: principal(),
    route: 'fast',
    signal: new AbortController().signal,
    stream: false,
    request: () => decodeChatRequest(body),
    native: { wire: 'openai', text: JSON.stringify(body), json: body },
    ...more,
  };
}

/** The same call from inside: without a body of the caller's. */
export function innerCall(body: JsonObject = BODY, more: Partial<ModelCall> = {}): ModelCall {
  const { native: _, ...call } = callOf(body, more);
  return call;
}

export const planOf = (more: Partial<CachedPlan> = {}): CachedPlan => ({
  targets: [{ name: 'up/m', provider: 'up', endpoint: { wire: 'openai' } }],
  cache: POLICY,
  ...more,
});

export const resultOf = (more: Partial<ChatResult> = {}): ChatResult => ({
  id: 'chatcmpl-1',
  model: 'm',
  createdMs: 1_000,
  parts: [{ type: 'text', text: 'A checkpoint.' }],
  finish: 'stop',
  usage: { ...noUsage('reported'), inputTokens: 7, outputTokens: 3 },
  ...more,
});

export const answerOf = (more: Partial<ChatResult> = {}, native = '{"id":"chatcmpl-1"}'): ChatAnswer => ({
  usage: resultOf(more).usage,
  native: { wire: 'openai', text: native },
  result: () => resultOf(more),
});

export function setUp(options: { memoryBytes?: number; placeOf?: (provider: string) => string } = {}) {
  const clock = { now: 1_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const events: CacheEvent[] = [];
  /** Ends every wait for a call in flight, as their limit would. */
  const limits: (() => void)[] = [];
  const cache = createAnswerCache({
    memoryBytes: options.memoryBytes ?? 1_000_000,
    clock,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        limits.push(resolve);
        signal.addEventListener('abort', () => reject(new Error('ended')));
      }),
    defaultTtlMs: 30_000,
    placeOf: options.placeOf ?? (() => 'api.example.com'),
    onEvent: (event) => void events.push(event),
  });
  const look = async (call: ModelCall, plan = planOf()): Promise<CacheLook | undefined> => cache.look(call, plan);
  const lead = async (call: ModelCall, plan = planOf()): Promise<CacheLead> => {
    const looked = await look(call, plan);
    if (looked?.kind !== 'lead') throw new Error(`expected a lead, got ${looked?.kind}`);
    return looked;
  };
  const kindOf = async (call: ModelCall, plan = planOf()): Promise<string> => {
    const looked = await look(call, plan);
    if (looked?.kind === 'lead') looked.abandon();
    return looked === undefined ? 'none' : looked.kind === 'hit' ? looked.level : 'lead';
  };
  return { cache, clock, events, limits, look, lead, kindOf };
}

/** Keeps an answer to one call and says what another one finds. */
export async function second(first: ModelCall, other: ModelCall, plans = [planOf(), planOf()]): Promise<string> {
  const stage = setUp();
  (await stage.lead(first, plans[0])).keep(answerOf());
  return stage.kindOf(other, plans[1]);
}

export async function* framesOf(...frames: StreamFrame[]): AsyncGenerator<StreamFrame> {
  for (const frame of frames) yield await Promise.resolve(frame);
}

export const PARTS: StreamPart[] = [
  { type: 'start', id: 'chatcmpl-2', model: 'm', createdMs: 5 },
  { type: 'text', text: 'A check' },
  { type: 'text', text: 'point.' },
  { type: 'usage', usage: resultOf().usage },
  { type: 'finish', finish: 'stop' },
];
export const streamOf = (...parts: StreamPart[]): ChatStream => ({
  wire: 'openai',
  frames: framesOf(...parts.map((part) => ({ parts: [part] }))),
});

export async function drain(stream: ChatStream): Promise<StreamFrame[]> {
  const frames: StreamFrame[] = [];
  for await (const frame of stream.frames) frames.push(frame);
  return frames;
}
