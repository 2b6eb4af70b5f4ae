import { describe, expect, test } from 'bun:test';
import {
  BODY,
  principal,
  callOf,
  planOf,
  resultOf,
  answerOf,
  setUp,
  framesOf,
  PARTS,
  streamOf,
  drain,
} from '../../../test/support/answer-cache-stage.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ChatStream } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { ModelCall } from '../model-call.ts';
import { resultAsFrames } from './result-as-frames.ts';

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
    const tags = Array.from({ length: 301 }, (_, at) => `document:${at}`);
    expect(cache.look(callOf(BODY, { tags }), planOf())).toBeUndefined();
    expect(cache.look(callOf(BODY, { cacheTags: tags }), planOf())).toBeUndefined();
  });

  test('the tags of what an answer is made of count as well', async () => {
    const { lead, kindOf, cache } = setUp();
    const call = callOf(BODY, { tags: ['app=shop'], cacheTags: ['document:a', 'document:b'] });
    (await lead(call)).keep(answerOf());
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'c' })).toBe(0);
    expect(await kindOf(call)).toBe('memory');
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'b' })).toBe(1);
    expect(await kindOf(call)).toBe('lead');
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
