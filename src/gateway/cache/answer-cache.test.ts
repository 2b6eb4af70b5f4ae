import { describe, expect, test } from 'bun:test';
import {
  POLICY,
  BODY,
  principal,
  callOf,
  innerCall,
  planOf,
  resultOf,
  answerOf,
  setUp,
  second,
} from '../../../test/support/answer-cache-stage.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ChatResult } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { ModelCall } from '../model-call.ts';
import type { CachedPlan } from './answer-key.ts';

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
