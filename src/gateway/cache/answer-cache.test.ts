import { describe, expect, test } from 'bun:test';
import { decodeChatRequest } from '../../http/dialects/openai/decode-request.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ChatAnswer, ChatStream, StreamFrame } from '../../ports/provider.ts';
import type { ChatResult, StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { noUsage } from '../../spec/usage.ts';
import type { CachePolicy } from '../catalogue.ts';
import type { ModelCall } from '../model-call.ts';
import { createAnswerCache, type CacheEvent, type CacheLead, type CacheLook } from './answer-cache.ts';
import type { CachedPlan } from './answer-key.ts';
import { resultAsFrames } from './result-as-frames.ts';

const POLICY: CachePolicy = { ttlMs: 60_000, scope: 'tenant' };
const BODY = { model: 'fast', messages: [{ role: 'user', content: 'What is a sekisho?' }], temperature: 0.2 };

const principal = (more: Partial<Principal> = {}): Principal => ({
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'member',
  allowedRoutes: [],
  limits: {},
  ...more,
});

function callOf(body: JsonObject = BODY, more: Partial<ModelCall> = {}): ModelCall {
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
function innerCall(body: JsonObject = BODY, more: Partial<ModelCall> = {}): ModelCall {
  const { native: _, ...call } = callOf(body, more);
  return call;
}

const planOf = (more: Partial<CachedPlan> = {}): CachedPlan => ({
  targets: [{ name: 'up/m', provider: 'up', endpoint: { wire: 'openai' } }],
  cache: POLICY,
  ...more,
});

const resultOf = (more: Partial<ChatResult> = {}): ChatResult => ({
  id: 'chatcmpl-1',
  model: 'm',
  createdMs: 1_000,
  parts: [{ type: 'text', text: 'A checkpoint.' }],
  finish: 'stop',
  usage: { ...noUsage('reported'), inputTokens: 7, outputTokens: 3 },
  ...more,
});

const answerOf = (more: Partial<ChatResult> = {}, native = '{"id":"chatcmpl-1"}'): ChatAnswer => ({
  usage: resultOf(more).usage,
  native: { wire: 'openai', text: native },
  result: () => resultOf(more),
});

function setUp(options: { memoryBytes?: number; placeOf?: (provider: string) => string } = {}) {
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
async function second(first: ModelCall, other: ModelCall, plans = [planOf(), planOf()]): Promise<string> {
  const stage = setUp();
  (await stage.lead(first, plans[0])).keep(answerOf());
  return stage.kindOf(other, plans[1]);
}

async function* framesOf(...frames: StreamFrame[]): AsyncGenerator<StreamFrame> {
  for (const frame of frames) yield await Promise.resolve(frame);
}

const PARTS: StreamPart[] = [
  { type: 'start', id: 'chatcmpl-2', model: 'm', createdMs: 5 },
  { type: 'text', text: 'A check' },
  { type: 'text', text: 'point.' },
  { type: 'usage', usage: resultOf().usage },
  { type: 'finish', finish: 'stop' },
];
const streamOf = (...parts: StreamPart[]): ChatStream => ({
  wire: 'openai',
  frames: framesOf(...parts.map((part) => ({ parts: [part] }))),
});

async function drain(stream: ChatStream): Promise<StreamFrame[]> {
  const frames: StreamFrame[] = [];
  for await (const frame of stream.frames) frames.push(frame);
  return frames;
}

describe('answer cache: who is asked', () => {
  test('without a policy and without a wish there is no cache, at once', () => {
    const { cache } = setUp();
    expect(cache.look(callOf(), { targets: planOf().targets })).toBeUndefined();
    expect(cache.look(callOf(BODY, { cache: { wish: 'bypass' } }), planOf())).toBeUndefined();
  });

  test('the same question is answered again, byte for byte and with its usage', async () => {
    const { lead, look } = setUp();
    (await lead(callOf())).keep(answerOf({}, '{"id":"chatcmpl-1", "x": 1}'));
    const looked = await look(callOf());
    expect(looked).toMatchObject({ kind: 'hit', level: 'memory' });
    if (looked?.kind !== 'hit') throw new Error('no hit');
    expect(looked.answer.native).toEqual({ wire: 'openai', text: '{"id":"chatcmpl-1", "x": 1}' });
    expect(looked.answer.result()).toEqual(resultOf());
    expect(looked.answer.usage.inputTokens).toBe(7);
  });

  test('what one caller does to its answer, the next one does not see', async () => {
    const { lead, look } = setUp();
    (await lead(callOf())).keep(answerOf());
    const first = await look(callOf());
    if (first?.kind === 'hit') first.answer.result().parts.length = 0;
    const next = await look(callOf());
    expect(next?.kind === 'hit' && next.answer.result().parts).toHaveLength(1);
  });

  test('it ends with its time; a caller may shorten it and not lengthen it', async () => {
    for (const [ttlMs, lastsMs] of [
      [undefined, 60_000],
      [1_000, 1_000],
      [600_000, 60_000],
    ] as const) {
      const { lead, kindOf, clock } = setUp();
      const wish = ttlMs === undefined ? {} : { cache: { wish: 'use' as const, ttlMs } };
      (await lead(callOf(BODY, wish))).keep(answerOf());
      clock.now += lastsMs - 1;
      expect(await kindOf(callOf())).toBe('memory');
      clock.now += 1;
      expect(await kindOf(callOf())).toBe('lead');
    }
  });

  test('a wish to fill it anew goes upstream and replaces what is kept', async () => {
    const { lead, look } = setUp();
    (await lead(callOf())).keep(answerOf());
    const refresh = callOf(BODY, { cache: { wish: 'refresh' } });
    (await lead(refresh)).keep(answerOf({ id: 'chatcmpl-9' }));
    const looked = await look(callOf());
    expect(looked?.kind === 'hit' && looked.answer.result().id).toBe('chatcmpl-9');
  });

  test('a wish on a route without a policy is shared with nobody else, for the default time', async () => {
    const { lead, kindOf, clock } = setUp();
    const plan = { targets: planOf().targets };
    const wish = { cache: { wish: 'use' as const } };
    (await lead(callOf(BODY, wish), plan)).keep(answerOf());
    expect(await kindOf(callOf(BODY, { ...wish, principal: principal({ keyId: 'key_b' }) }), plan)).toBe('lead');
    clock.now += 29_999;
    expect(await kindOf(callOf(BODY, wish), plan)).toBe('memory');
    clock.now += 1;
    expect(await kindOf(callOf(BODY, wish), plan)).toBe('lead');
  });
});

describe('answer cache: the key', () => {
  const FORMAT = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } };
  const system = (content: string) => ({ messages: [{ role: 'system', content }, ...BODY.messages] });
  const DIFFERENT: [string, JsonObject][] = [
    ['question', { messages: [{ role: 'user', content: 'What is a sekishho?' }] }],
    ['system prompt', system('Be brief.')],
    ['tools', { tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] }],
    ['response format', { response_format: FORMAT }],
    ['temperature', { temperature: 0.3 }],
    ['seed', { seed: 1 }],
    ['limit on the answer', { max_tokens: 5 }],
    ['stop', { stop: ['x'] }],
    ['reasoning', { reasoning_effort: 'high' }],
    ['a field that we do not know', { min_p: 0.1 }],
  ];

  test.each(DIFFERENT)('K1: another %s is another answer, passed through or not', async (_, change) => {
    expect(await second(callOf(), callOf({ ...BODY, ...change }))).toBe('lead');
    expect(await second(callOf({ ...BODY, ...change }), callOf())).toBe('lead');
    expect(await second(innerCall(), innerCall({ ...BODY, ...change }))).toBe('lead');
    expect(await second(innerCall(), innerCall())).toBe('memory');
  });

  test('K1: a field inside a message that we do not know is another answer', async () => {
    const prefixed = { ...BODY, messages: [{ role: 'user', content: 'What is a sekisho?', prefix: true }] };
    expect(await second(callOf(), callOf(prefixed))).toBe('lead');
  });

  test('K1: another tenant, route, target, provider, place or forwarded header is another answer', async () => {
    const target = (name: string, provider: string): CachedPlan =>
      planOf({ targets: [{ name, provider, endpoint: { wire: 'openai' } }] });
    expect(await second(callOf(), callOf(BODY, { principal: principal({ tenantId: 'ten_b' }) }))).toBe('lead');
    expect(await second(callOf(), callOf(BODY, { route: 'slow' }))).toBe('lead');
    expect(await second(callOf(), callOf(BODY, { forwardHeaders: { 'openai-beta': 'x' } }))).toBe('lead');
    expect(await second(callOf(), callOf(), [planOf(), target('up/other', 'up')])).toBe('lead');
    expect(await second(callOf(), callOf(), [planOf(), target('up/m', 'other')])).toBe('lead');
    let place = 'a.example.com';
    const { lead, kindOf } = setUp({ placeOf: () => place });
    (await lead(callOf())).keep(answerOf());
    place = 'b.example.com';
    expect(await kindOf(callOf())).toBe('lead');
  });

  test.each([
    // scope, same key and user, other user, other key, other team
    ['tenant', 'memory', 'memory', 'memory', 'memory'],
    ['team', 'memory', 'memory', 'memory', 'lead'],
    ['key', 'memory', 'memory', 'lead', 'lead'],
    ['user', 'memory', 'lead', 'lead', 'lead'],
  ] as const)('K1: an answer of scope %s', async (scope, same, otherUser, otherKey, otherTeam) => {
    const plan = planOf({ cache: { ...POLICY, scope } });
    const of = (keyId: 'key_a' | 'key_b', user: string, team: string) =>
      callOf({ ...BODY, user }, { principal: principal({ keyId, team }), endUser: user });
    const found = (other: ModelCall) => second(of('key_a', 'u1', 'red'), other, [plan, plan]);
    expect(await found(of('key_a', 'u1', 'red'))).toBe(same);
    expect(await found(of('key_a', 'u2', 'red'))).toBe(otherUser);
    expect(await found(of('key_b', 'u1', 'red'))).toBe(otherKey);
    expect(await found(of('key_b', 'u1', 'blue'))).toBe(otherTeam);
  });

  test('who belongs to no team, or names no user, shares with its own key alone', async () => {
    for (const scope of ['team', 'user'] as const) {
      const plans = [planOf({ cache: { ...POLICY, scope } }), planOf({ cache: { ...POLICY, scope } })];
      expect(await second(callOf(), callOf(), plans)).toBe('memory');
      expect(await second(callOf(), callOf(BODY, { principal: principal({ keyId: 'key_b' }) }), plans)).toBe('lead');
    }
  });

  test('K5: the order of keys in JSON and the blanks between do not matter; the order of messages does', async () => {
    const body: JsonObject = { ...BODY, metadata: { a: 1, b: { c: 2, d: 3 } } };
    const turned: JsonObject = {
      metadata: { b: { d: 3, c: 2 }, a: 1 },
      temperature: 0.2,
      messages: [{ content: 'What is a sekisho?', role: 'user' }],
      model: 'fast',
    };
    const spaced = callOf(turned, { native: { wire: 'openai', text: JSON.stringify(turned, null, 2), json: turned } });
    expect(await second(callOf(body), spaced)).toBe('memory');
    const two = (a: string, b: string) => ({ ...BODY, messages: [a, b].map((content) => ({ role: 'user', content })) });
    expect(await second(callOf(two('a', 'b')), callOf(two('b', 'a')))).toBe('lead');
  });

  test('the same words in another form of body are another question', async () => {
    const native = { wire: 'openai-completions' as const, text: JSON.stringify(BODY), json: BODY };
    const completion = callOf(BODY, { native });
    expect(await second(callOf(), completion)).toBe('lead');
    expect(await second(completion, completion)).toBe('memory');
  });

  test('how the answer is delivered does not matter', async () => {
    const delivered = { ...BODY, stream: false, stream_options: null, user: 'u', model: 'other-name-of-fast' };
    expect(await second(callOf(), callOf(delivered))).toBe('memory');
  });

  test('a body that may be read in two ways is not cached', async () => {
    const { cache } = setUp();
    const repeated = callOf(BODY, {
      native: { wire: 'openai', text: `{"messages":[],${JSON.stringify(BODY).slice(1)}`, json: BODY },
    });
    expect(cache.look(repeated, planOf())).toBeUndefined();
    const huge = { ...BODY, seed: 2 ** 53 + 2 };
    expect(cache.look(callOf(huge), planOf())).toBeUndefined();
    const proto = JSON.parse('{"__proto__":{"a":1},"messages":[]}') as JsonObject;
    expect(await second(callOf(proto), callOf({ messages: [] }))).toBe('lead');
  });

  test('translated for another wire, the same request in the vocabulary is the same question', async () => {
    const plan = planOf({ targets: [{ name: 'claude/m', provider: 'claude', endpoint: { wire: 'anthropic' } }] });
    const spoken = { ...BODY, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is a sekisho?' }] }] };
    expect(await second(callOf(), callOf(spoken), [plan, plan])).toBe('memory');
    expect(await second(callOf(), callOf(spoken))).toBe('lead');
  });

  test.each([{ n: 2 }, { n: 1.5 }, { best_of: 3 }])('several answers are not cached: %p', (more) => {
    expect(setUp().cache.look(callOf({ ...BODY, ...more }), planOf())).toBeUndefined();
  });
});

describe('answer cache: what is kept', () => {
  const call = (args: string): ChatResult['parts'] => [{ type: 'tool-call', id: 'c', name: 'f', arguments: args }];
  const kept = async (more: Partial<ChatResult>, body: JsonObject = BODY): Promise<boolean> => {
    const { lead, kindOf } = setUp();
    (await lead(callOf(body))).keep(answerOf(more));
    return (await kindOf(callOf(body))) === 'memory';
  };

  test('K2: cut, filtered, empty or broken answers are not', async () => {
    expect(await kept({})).toBe(true);
    for (const finish of ['length', 'content-filter', 'other'] as const) expect(await kept({ finish })).toBe(false);
    expect(await kept({ parts: [] })).toBe(false);
    expect(await kept({ parts: [{ type: 'text', text: ' \n' }] })).toBe(false);
  });

  test('K2: nor is an answer with invalid tool arguments', async () => {
    expect(await kept({ finish: 'tool-calls', parts: call('{"a":1}') })).toBe(true);
    for (const broken of ['{"a":', '', '[1]', 'null', '"x"']) {
      expect(await kept({ finish: 'tool-calls', parts: [...call('{}'), ...call(broken)] })).toBe(false);
    }
  });

  test('K2: nor text where JSON was asked for', async () => {
    const body = { ...BODY, response_format: { type: 'json_object' } };
    expect(await kept({ parts: [{ type: 'text', text: '{"a":1}' }] }, body)).toBe(true);
    expect(await kept({ parts: [{ type: 'text', text: 'Sure! {"a":1' }] }, body)).toBe(false);
  });

  test('K2: nor a failure, nor an answer that cannot be read', async () => {
    const { lead, kindOf } = setUp();
    (await lead(callOf())).abandon();
    expect(await kindOf(callOf())).toBe('lead');
    (await lead(callOf())).keep({
      ...answerOf(),
      result: () => {
        throw new SekishoError('upstream_broken');
      },
    });
    expect(await kindOf(callOf())).toBe('lead');
  });

  test('nothing is kept twice over: a lead ends once', async () => {
    const { lead, kindOf } = setUp();
    const first = await lead(callOf());
    first.abandon();
    expect(await kindOf(callOf())).toBe('lead');
  });

  test('too large an answer is not kept, and the memory never holds more than its bytes', async () => {
    const { lead, kindOf, cache } = setUp({ memoryBytes: 40_000 });
    const big = (chars: number) => answerOf({ parts: [{ type: 'text', text: 'x'.repeat(chars) }] });
    (await lead(callOf())).keep(big(5_000));
    expect(await kindOf(callOf())).toBe('lead');
    for (let each = 0; each < 100; each++) (await lead(callOf({ ...BODY, seed: each }))).keep(big(2_000));
    const { memory } = cache.stats(DEFAULT_TENANT);
    expect(memory.bytes).toBeLessThanOrEqual(40_000);
    expect(memory.entries).toBeGreaterThan(8);
    expect(await kindOf(callOf({ ...BODY, seed: 99 }))).toBe('memory');
    expect(await kindOf(callOf({ ...BODY, seed: 0 }))).toBe('lead');
  });

  test('without memory nothing is kept and calls in flight are joined all the same', async () => {
    const { lead, look, kindOf } = setUp({ memoryBytes: 0 });
    const first = await lead(callOf());
    const follower = look(callOf());
    first.keep(answerOf());
    expect(await follower).toMatchObject({ kind: 'hit', level: 'joined' });
    expect(await kindOf(callOf())).toBe('lead');
  });
});

describe('answer cache: streams', () => {
  const streamed = (body: JsonObject = BODY): ModelCall => callOf({ ...body, stream: true }, { stream: true });

  test('K4: kept from a stream, given as a stream and whole', async () => {
    const { lead, look } = setUp();
    const passed = await drain((await lead(streamed())).keepStream(streamOf(...PARTS)));
    expect(passed.flatMap(({ parts }) => parts)).toEqual(PARTS);
    for (const call of [streamed(), callOf()]) {
      const looked = await look(call);
      if (looked?.kind !== 'hit') throw new Error('no hit');
      expect(looked.answer.native).toBeUndefined();
      expect(looked.answer.result()).toEqual(resultOf({ id: 'chatcmpl-2', createdMs: 5 }));
      const frames = await drain({ wire: 'openai', frames: resultAsFrames(looked.answer.result()) });
      const types = frames.flatMap(({ parts }) => parts.map(({ type }) => type));
      expect(types).toEqual(['start', 'text', 'usage', 'finish']);
    }
  });

  test('K4: kept whole, given as a stream without the bytes of a whole answer', async () => {
    const { lead, look } = setUp();
    (await lead(callOf())).keep(answerOf());
    const looked = await look(streamed());
    expect(looked?.kind === 'hit' && looked.answer.native).toBeUndefined();
    expect(looked?.kind === 'hit' && looked.answer.result().parts).toEqual(resultOf().parts);
  });

  test('passed-through bytes are read by their decoder and not changed', async () => {
    const { lead, look } = setUp();
    const text = new TextEncoder();
    const bytes = ['A check', 'point', '.'].map((piece) => text.encode(piece));
    const end: StreamPart[] = [PARTS[3]!, PARTS[4]!];
    const frames = [
      { bytes: bytes[0]!, parts: [] },
      { bytes: bytes[1]!, parts: end },
      { bytes: bytes[2]!, parts: [] },
    ];
    const decoder =
      () =>
      (run: Uint8Array): StreamPart[] => [
        { type: 'text', text: new TextDecoder().decode(run) },
        { type: 'finish', finish: 'length' },
      ];
    const stream: ChatStream = { wire: 'openai', frames: framesOf(...frames), decoder };
    expect(await drain((await lead(streamed())).keepStream(stream))).toEqual(frames);
    const looked = await look(streamed());
    expect(looked?.kind === 'hit' && looked.answer.result().parts).toEqual(resultOf().parts);
    expect(looked?.kind === 'hit' && looked.answer.result().finish).toBe('stop');
  });

  test.each([
    ['an error part', [...PARTS.slice(0, 2), { type: 'error', error: new SekishoError('upstream_broken') } as const]],
    ['no finish', PARTS.slice(0, 3)],
    ['a cut answer', [...PARTS.slice(0, 4), { type: 'finish', finish: 'length' } as const]],
  ])('K2: a stream with %s is not kept', async (_, parts) => {
    const { lead, kindOf } = setUp();
    await drain((await lead(streamed())).keepStream(streamOf(...parts)));
    expect(await kindOf(streamed())).toBe('lead');
  });

  test('K2: nor one that throws, one whose reader leaves, one whose bytes nobody reads', async () => {
    const { lead, kindOf } = setUp();
    const torn: ChatStream = {
      wire: 'openai',
      frames: (async function* () {
        yield { parts: [PARTS[0]!] };
        throw await Promise.resolve(new SekishoError('caller_left'));
      })(),
    };
    expect(drain((await lead(streamed())).keepStream(torn))).rejects.toMatchObject({ code: 'caller_left' });
    await Promise.resolve();
    expect(await kindOf(streamed())).toBe('lead');
    for await (const _ of (await lead(streamed())).keepStream(streamOf(...PARTS)).frames) break;
    expect(await kindOf(streamed())).toBe('lead');
    const unread = framesOf({ bytes: new Uint8Array(5), parts: [PARTS[3]!, PARTS[4]!] });
    await drain((await lead(streamed())).keepStream({ wire: 'openai', frames: unread }));
    expect(await kindOf(streamed())).toBe('lead');
  });

  test('a reader who leaves behind the finish has the whole answer', async () => {
    const { lead, kindOf } = setUp();
    let frames = 0;
    for await (const _ of (await lead(streamed())).keepStream(streamOf(...PARTS)).frames) {
      if (++frames === PARTS.length) break;
    }
    expect(await kindOf(streamed())).toBe('memory');
  });

  test('leaving a kept stream early leaves the upstream', async () => {
    const { lead } = setUp();
    let left = false;
    const frames = (async function* () {
      try {
        for (;;) yield await Promise.resolve({ parts: [PARTS[1]!] });
      } finally {
        left = true;
      }
    })();
    for await (const _ of (await lead(streamed())).keepStream({ wire: 'openai', frames }).frames) break;
    expect(left).toBe(true);
  });

  test('answers with more than the vocabulary holds are given again only as they came', async () => {
    const { lead, look, kindOf, cache } = setUp();
    const logprobs = { ...BODY, logprobs: true };
    (await lead(callOf(logprobs))).keep(answerOf({}, '{"logprobs":{}}'));
    const whole = await look(callOf(logprobs));
    expect(whole?.kind === 'hit' && whole.answer.native?.text).toBe('{"logprobs":{}}');
    expect(cache.look(streamed(logprobs), planOf())).toBeUndefined();
    expect(await kindOf(streamed({ ...BODY, logit_bias: { 50256: -100 } }))).toBe('lead');
  });
});

describe('answer cache: identical calls in flight', () => {
  test('followers get the answer of the lead; the upstream is asked once', async () => {
    const { lead, look, cache } = setUp();
    const first = await lead(callOf());
    const followers = Array.from({ length: 5 }, (_, at) => look(callOf({ ...BODY, stream: at % 2 === 0 })));
    const other = await lead(callOf({ ...BODY, seed: 1 }));
    first.keep(answerOf());
    const levels = (await Promise.all(followers)).map((each) => each?.kind === 'hit' && each.level);
    expect(levels).toEqual(Array(5).fill('joined'));
    other.abandon();
    expect(cache.stats(DEFAULT_TENANT)).toMatchObject({ hits: 5, joined: 5, misses: 2, kept: 1, notKept: 1 });
  });

  test('when the lead fails one follower leads, and nobody gets its failure', async () => {
    const { lead, look } = setUp();
    const first = await lead(callOf());
    const followers = [look(callOf()), look(callOf()), look(callOf())];
    first.abandon();
    first.keep(answerOf({ id: 'too late' }));
    const next = await followers[0];
    if (next?.kind !== 'lead') throw new Error('no lead');
    expect(Bun.peek.status(followers[1])).toBe('pending');
    next.keep(answerOf({ id: 'chatcmpl-2' }));
    for (const each of await Promise.all(followers.slice(1))) {
      expect(each?.kind === 'hit' && each.answer.result().id).toBe('chatcmpl-2');
    }
  });

  test('after a second failure everyone goes alone, so that nobody waits for one failure after another', async () => {
    const { lead, look } = setUp();
    const first = await lead(callOf());
    const followers = [look(callOf()), look(callOf()), look(callOf())];
    first.abandon();
    const next = await followers[0];
    if (next?.kind === 'lead') next.abandon();
    expect((await Promise.all(followers)).map((each) => each?.kind)).toEqual(['lead', 'lead', 'lead']);
  });

  test('an answer that is not kept is not shared either', async () => {
    const { lead, look } = setUp();
    const first = await lead(callOf());
    const followers = [look(callOf()), look(callOf())];
    first.keep(answerOf({ finish: 'length' }));
    expect((await Promise.all(followers)).map((each) => each?.kind)).toEqual(['lead', 'lead']);
  });

  test('a follower that leaves is refused at once and takes nobody with it', async () => {
    const { lead, look } = setUp();
    const first = await lead(callOf());
    const leaving = new AbortController();
    const [gone, stays] = [look(callOf(BODY, { signal: leaving.signal })), look(callOf())];
    leaving.abort();
    expect(gone).rejects.toMatchObject({ code: 'caller_left' });
    first.abandon();
    expect((await stays)?.kind).toBe('lead');
    const aborted = AbortSignal.abort();
    expect(look(callOf(BODY, { signal: aborted }))).rejects.toMatchObject({ code: 'caller_left' });
  });

  test('nobody waits beyond the limit', async () => {
    const { lead, look, limits } = setUp();
    const first = await lead(callOf());
    const follower = look(callOf());
    await Promise.resolve();
    for (const end of limits) end();
    expect((await follower)?.kind).toBe('lead');
    first.keep(answerOf());
  });

  test('the followers of a stream get it when it is whole, and one leads when it breaks', async () => {
    const { lead, look } = setUp();
    const streamed = callOf({ ...BODY, stream: true }, { stream: true });
    const whole = (await lead(streamed)).keepStream(streamOf(...PARTS));
    const follower = look(streamed);
    await drain(whole);
    expect(await follower).toMatchObject({ kind: 'hit', level: 'joined' });
    const other = callOf({ ...BODY, seed: 5, stream: true }, { stream: true });
    const broken = (await lead(other)).keepStream(streamOf(...PARTS.slice(0, 2)));
    const waiting = [look(other), look(other)];
    await drain(broken);
    expect((await waiting[0])?.kind).toBe('lead');
    expect(Bun.peek.status(waiting[1])).toBe('pending');
  });
});

describe('answer cache: invalidation', () => {
  const tagged = (seed: number, ...tags: string[]) => callOf({ ...BODY, seed }, { tags });

  test('K7: a document invalidates exactly the answers that used it', async () => {
    const { lead, kindOf, cache } = setUp();
    const calls = [
      tagged(1, 'document:a', 'collection:handbook'),
      tagged(2, 'document:a', 'document:b'),
      tagged(3, 'document:b', 'collection:handbook'),
      tagged(4),
    ];
    for (const each of calls) (await lead(each)).keep(answerOf());
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'a' })).toBe(2);
    expect(await Promise.all(calls.map((each) => kindOf(each)))).toEqual(['lead', 'lead', 'memory', 'memory']);
    expect(await cache.invalidate(DEFAULT_TENANT, { tag: 'collection:handbook' })).toBe(1);
    expect(cache.stats(DEFAULT_TENANT).memory.entries).toBe(1);
  });

  test('K7: an answer under way when its document changes is not kept, and later callers do not join it', async () => {
    const { lead, look, kindOf, cache } = setUp();
    const call = tagged(1, 'document:a');
    const stale = await lead(call);
    const before = look(call);
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'a' })).toBe(0);
    const fresh = await lead(call);
    stale.keep(answerOf({ id: 'stale' }));
    expect(await before).toMatchObject({ kind: 'hit', level: 'joined' });
    fresh.keep(answerOf({ id: 'fresh' }));
    const looked = await look(call);
    expect(looked?.kind === 'hit' && looked.answer.result().id).toBe('fresh');
    const late = await lead(tagged(3, 'document:a'));
    await cache.invalidate(DEFAULT_TENANT, { document: 'a' });
    late.keep(answerOf());
    expect(await kindOf(tagged(3, 'document:a'))).toBe('lead');
    const unrelated = await lead(tagged(2, 'document:b'));
    await cache.invalidate(DEFAULT_TENANT, { document: 'a' });
    unrelated.keep(answerOf());
    expect(await kindOf(tagged(2, 'document:b'))).toBe('memory');
  });

  test('by route and by pattern, exactly', async () => {
    const { lead, kindOf, cache } = setUp();
    const routes = ['openai', 'openai/gpt-4o', 'openai/gpt-4o-mini', 'fast'];
    const on = (route: string) => callOf(BODY, { route });
    const fill = async (): Promise<void> => {
      for (const route of routes) {
        const looked = await cache.look(on(route), planOf());
        if (looked?.kind === 'lead') looked.keep(answerOf());
      }
    };
    await fill();
    expect(await cache.invalidate(DEFAULT_TENANT, { route: 'openai' })).toBe(1);
    expect(await kindOf(on('openai/gpt-4o'))).toBe('memory');
    await fill();
    expect(await cache.invalidate(DEFAULT_TENANT, { pattern: 'openai/gpt-4o*' })).toBe(2);
    await fill();
    expect(await cache.invalidate(DEFAULT_TENANT, { pattern: '*' })).toBe(4);
    (await lead(on('fast'))).abandon();
  });

  test('a tenant forgets its own and nothing of others, whatever it names', async () => {
    const { lead, kindOf, cache } = setUp();
    const theirs = callOf(BODY, { principal: principal({ tenantId: 'ten_b' }), tags: ['document:a'] });
    (await lead(theirs)).keep(answerOf());
    for (const selection of [
      { pattern: '*' },
      { pattern: '../ten_b/*' },
      { route: 'fast' },
      { tag: 'document:a' },
      { tag: '|document:a' },
      { document: 'a' },
    ]) {
      expect(await cache.invalidate(DEFAULT_TENANT, selection)).toBe(0);
    }
    expect(await kindOf(theirs)).toBe('memory');
    expect(await cache.invalidate('ten_b', { document: 'a' })).toBe(1);
  });

  test('the tags of the key count as well; what has too many tags is not cached', async () => {
    const { lead, kindOf, cache } = setUp();
    const call = callOf(BODY, { principal: principal({ tags: ['app=shop'] }) });
    (await lead(call)).keep(answerOf());
    expect(await cache.invalidate(DEFAULT_TENANT, { tag: 'app=shop' })).toBe(1);
    expect(await kindOf(call)).toBe('lead');
    const tags = Array.from({ length: 201 }, (_, at) => `document:${at}`);
    expect(cache.look(callOf(BODY, { tags }), planOf())).toBeUndefined();
  });
});

test('statistics and events: of each tenant its own', async () => {
  const { lead, kindOf, cache, events } = setUp();
  (await lead(callOf())).keep(answerOf());
  await kindOf(callOf());
  await kindOf(callOf());
  expect(cache.stats(DEFAULT_TENANT)).toMatchObject({ lookups: 3, hits: 2, misses: 1, memoryHits: 2, kept: 1 });
  expect(cache.stats(DEFAULT_TENANT).hitRate).toBeCloseTo(2 / 3);
  expect(cache.stats(DEFAULT_TENANT).memory.entries).toBe(1);
  expect(cache.stats('ten_b')).toMatchObject({ lookups: 0, hitRate: 0, memory: { entries: 0, bytes: 0 } });
  expect(events.map(({ type }) => type)).toEqual(['miss', 'kept', 'hit', 'hit']);
});
