import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import { migrate } from '../../migrate.ts';
import type { EmbeddingAnswer } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { noUsage } from '../../spec/usage.ts';
import { createSqliteCacheStore } from '../../stores/sqlite/sqlite-cache-store.ts';
import { sqliteCacheMigrations } from '../../stores/sqlite/sqlite-cache-store-schema.ts';
import { createSqliteDatabase } from '../../stores/sqlite/sqlite-database.ts';
import type { EmbedCall } from '../model-call.ts';
import { createEmbeddingCache, type EmbeddingCacheOptions } from './embedding-cache.ts';
import type { EmbeddingPlan } from './embedding-key.ts';

const principal = (more: Partial<Principal> = {}): Principal => ({
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'member',
  allowedRoutes: [],
  limits: {},
  ...more,
});

/** A call as it comes over HTTP, with the body of the caller. */
function callOf(input: string[], extra: JsonObject = {}, more: Partial<EmbedCall> = {}): EmbedCall {
  const json: JsonObject = { model: 'embed', input, ...extra };
  const { dimensions } = extra;
  return {
    requestId: 'req_1',
    principal: principal(),
    route: 'embed',
    signal: new AbortController().signal,
    request: { input, ...(typeof dimensions === 'number' && { dimensions }) },
    native: { wire: 'openai', text: JSON.stringify(json), json },
    ...more,
  };
}

const target = (name: string, model = 'm') => {
  const provider = name.slice(0, name.indexOf('/'));
  return { name, provider, model, endpoint: { wire: 'openai' as const } };
};
const PLAN: EmbeddingPlan = { targets: [target('up/m')] };

function setUp(options: Partial<EmbeddingCacheOptions> = {}) {
  const clock = { now: 1_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const asked: EmbedCall[] = [];
  const state = { answers: 'up/m', model: 'm-2026', made: 0 };
  const cache = createEmbeddingCache({ memoryBytes: 1_000_000, clock, placeOf: () => 'host', ...options });
  /** Every vector is made anew, so that a kept one can be told. */
  const ask = (call: EmbedCall): Promise<{ value: EmbeddingAnswer; target: { name: string } }> => {
    asked.push(call);
    const usage = { ...noUsage('reported'), inputTokens: call.request.input.length };
    const vectors = call.request.input.map((text) => Float32Array.of(text.length, ++state.made));
    const value = {
      usage,
      native: { wire: 'openai' as const, text: `native ${asked.length}` },
      result: () => ({ model: state.model, vectors, usage }),
    };
    return Promise.resolve({ value, target: { name: state.answers } });
  };
  const embed = (call: EmbedCall, plan = PLAN) => cache.embed(call, plan, ask);
  const vectors = async (call: EmbedCall, plan = PLAN) =>
    (await embed(call, plan)).result().vectors.map((vector) => [...vector]);
  return { cache, clock, asked, state, ask, embed, vectors };
}

describe('embedding cache', () => {
  test('a call of which nothing is known goes as it came and comes back as it was sent', async () => {
    const { embed, asked } = setUp();
    const call = callOf(['a', 'b', 'a']);
    const answer = await embed(call);
    expect(asked).toEqual([call]);
    expect(answer).toMatchObject({ cached: 0, native: { text: 'native 1' }, usage: { inputTokens: 3 } });
  });

  test('what is known costs nothing and is the same to the bit', async () => {
    const { embed, vectors, asked } = setUp();
    const first = await vectors(callOf(['a', 'b']));
    const answer = await embed(callOf(['b', 'a']));
    expect(asked).toHaveLength(1);
    expect(answer.cached).toBe(2);
    expect(answer.usage).toEqual(noUsage('reported'));
    expect(answer.native).toBeUndefined();
    expect(answer.result()).toEqual({
      model: 'm-2026',
      vectors: [Float32Array.from(first[1]!), Float32Array.from(first[0]!)],
      usage: noUsage('reported'),
    });
  });

  test('only what is missing goes upstream, once each, with every other field of the body', async () => {
    const { embed, vectors, asked } = setUp();
    const [known] = await vectors(callOf(['a'], { truncate: 'END' }));
    const answer = await embed(callOf(['x', 'a', 'yy', 'x'], { truncate: 'END' }));
    expect(asked[1]?.request.input).toEqual(['x', 'yy']);
    expect(JSON.parse(asked[1]?.native?.text ?? '')).toEqual({ model: 'embed', input: ['x', 'yy'], truncate: 'END' });
    expect(asked[1]?.native?.json['input']).toEqual(['x', 'yy']);
    expect(answer.result().vectors.map((vector) => [...vector])).toEqual([[1, 2], known!, [2, 3], [1, 2]]);
    expect(answer).toMatchObject({ cached: 1, usage: { inputTokens: 2 } });
    expect(answer.native).toBeUndefined();
  });

  test('what one caller does to its vectors, the next one does not see', async () => {
    const { embed, vectors } = setUp();
    (await embed(callOf(['a']))).result().vectors[0]?.fill(9);
    (await embed(callOf(['a']))).result().vectors[0]?.fill(9);
    expect(await vectors(callOf(['a']))).toEqual([[1, 1]]);
  });

  test('vectors differ for tenant, text, model, dimensions, purpose, place and unknown fields', async () => {
    let place = 'host';
    const { embed, asked } = setUp({ placeOf: () => place });
    const misses = async (call: EmbedCall, plan = PLAN): Promise<void> => {
      const before = asked.length;
      await embed(call, plan);
      expect(asked.length).toBe(before + 1);
    };
    await misses(callOf(['a']));
    await misses(callOf(['a'], {}, { principal: principal({ tenantId: 'ten_b' }) }));
    for (const text of ['A', ' a', 'a\u0301', '\u00e1', '\ud800', '\ud801', '"\\ud800"', '\ufffd'])
      await misses(callOf([text]));
    await misses(callOf(['a'], { dimensions: 64 }));
    await misses(callOf(['a'], { truncate: 'END' }));
    for (const purpose of ['query', 'document'] as const) {
      await misses(callOf(['a'], {}, { request: { input: ['a'], purpose } }));
    }
    await misses(callOf(['a']), { targets: [target('up/n', 'n')] });
    await misses(callOf(['a']), { targets: [target('other/m')] });
    place = 'elsewhere';
    await misses(callOf(['a']));
    expect((await embed(callOf(['a']))).cached).toBe(1);
  });

  test('who asks, for which key and in which number format, does not matter', async () => {
    const { embed } = setUp();
    await embed(callOf(['a'], { user: 'u1' }, { principal: principal({ keyId: 'key_b' }) }));
    expect((await embed(callOf(['a'], { encoding_format: 'base64' }))).cached).toBe(1);
    const { native: _, ...inner } = callOf(['a']);
    expect((await embed(inner)).cached).toBe(1);
  });

  test('a body of another form, or one that may be read in two ways, goes past', async () => {
    const { embed } = setUp();
    await embed(callOf(['a']));
    const body = callOf(['a']).native!;
    expect((await embed(callOf(['a'], {}, { native: { ...body, wire: 'cohere' } }))).cached).toBe(0);
    const twice = { ...body, text: `{"input":"evil",${body.text.slice(1)}` };
    expect((await embed(callOf(['a'], {}, { native: twice }))).cached).toBe(0);
  });

  test('a model in this process is asked each time', async () => {
    const { embed } = setUp();
    const plan: EmbeddingPlan = { targets: [{ ...target('local/m'), endpoint: { wire: 'static' } }] };
    await embed(callOf(['a']), plan);
    expect((await embed(callOf(['a']), plan)).cached).toBe(0);
  });

  test('the wishes of the caller: past it, filled anew, kept for a shorter time', async () => {
    const { embed, asked, clock, vectors } = setUp();
    await embed(callOf(['a'], {}, { cache: { wish: 'use', ttlMs: 1_000 } }));
    expect((await embed(callOf(['a'], {}, { cache: { wish: 'bypass' } }))).cached).toBe(0);
    expect(await vectors(callOf(['a']))).toEqual([[1, 1]]);
    expect((await embed(callOf(['a'], {}, { cache: { wish: 'refresh', ttlMs: 1_000 } }))).cached).toBe(0);
    expect(await vectors(callOf(['a']))).toEqual([[1, 3]]);
    clock.now += 1_000;
    expect((await embed(callOf(['a']))).cached).toBe(0);
    expect(asked).toHaveLength(4);
  });

  test('vectors of two models never stand in one answer, nor are they kept as each other’s', async () => {
    const plan: EmbeddingPlan = { targets: [target('up/m'), target('spare/n', 'n')] };
    const { embed, asked, state } = setUp();
    await embed(callOf(['a']), plan);
    state.answers = 'spare/n';
    const answer = await embed(callOf(['a', 'b']), plan);
    expect(asked.slice(1).map(({ request }) => request.input)).toEqual([['b'], ['a', 'b']]);
    expect(answer).toMatchObject({ cached: 0, native: { text: 'native 3' }, usage: { inputTokens: 3 } });
    state.answers = 'up/m';
    expect((await embed(callOf(['b']), plan)).cached).toBe(0);
    expect((await embed(callOf(['a']), plan)).cached).toBe(1);
  });

  test('the same model at two providers of one route is one space', async () => {
    const plan: EmbeddingPlan = { targets: [target('up/m'), target('spare/m')] };
    const { embed, state } = setUp();
    state.answers = 'spare/m';
    await embed(callOf(['a']), plan);
    state.answers = 'up/m';
    expect((await embed(callOf(['a', 'b']), plan)).cached).toBe(1);
    expect((await embed(callOf(['a']), { targets: [...plan.targets].reverse() })).cached).toBe(0);
  });

  test('when the upstream changes its model, what was kept is replaced', async () => {
    const { embed, asked, state } = setUp();
    await embed(callOf(['a']));
    state.model = 'm-2027';
    expect((await embed(callOf(['a', 'b']))).result().model).toBe('m-2027');
    expect(asked).toHaveLength(3);
    expect((await embed(callOf(['a', 'b']))).cached).toBe(2);
  });

  test('a failure is the caller’s and nothing is kept; an answer that cannot be read is not kept', async () => {
    const { cache, embed } = setUp();
    const fails = () => Promise.reject(new SekishoError('upstream_failed'));
    expect(cache.embed(callOf(['a']), PLAN, fails)).rejects.toMatchObject({ code: 'upstream_failed' });
    const unreadable: EmbeddingAnswer = {
      usage: noUsage(),
      result: () => {
        throw new SekishoError('upstream_broken');
      },
    };
    const answer = await cache.embed(callOf(['a']), PLAN, () =>
      Promise.resolve({ value: unreadable, target: { name: 'up/m' } }),
    );
    expect(answer.result).toThrow('broke off');
    expect((await embed(callOf(['a']))).cached).toBe(0);
  });

  test('on disk it outlives the process, and memory is filled from it', async () => {
    const database = createSqliteDatabase({ path: ':memory:' });
    await migrate(database, sqliteCacheMigrations);
    const clock = { nowMs: () => 1_000, monotonicMs: () => 1_000 };
    const open = () => createSqliteCacheStore({ database, maxBytes: 10_000_000, clock });
    const before = setUp({ shared: open() });
    const texts = Array.from({ length: 600 }, (_, at) => `text ${at}`);
    const first = await before.vectors(callOf(texts));
    // The store writes behind the answer.
    await Promise.resolve();
    const after = setUp({ shared: open() });
    expect(await after.vectors(callOf(texts))).toEqual(first);
    expect(await after.vectors(callOf(texts))).toEqual(first);
    expect(after.asked).toHaveLength(0);
    expect(after.cache.stats(DEFAULT_TENANT)).toMatchObject({
      memoryHits: 600,
      sharedHits: 600,
      misses: 0,
      hitRate: 1,
    });
    await database.close();
  });

  test('K7: the vectors of a document go with it, those under way as well', async () => {
    const { cache, ask, embed } = setUp();
    const of = (document: string, text: string) => callOf([text], {}, { tags: [`document:${document}`] });
    await embed(of('a', 'one'));
    await embed(of('b', 'two'));
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'a' })).toBe(1);
    expect((await embed(of('b', 'two'))).cached).toBe(1);
    await cache.embed(of('a', 'one'), PLAN, async (call) => {
      await cache.invalidate(DEFAULT_TENANT, { document: 'a' });
      return ask(call);
    });
    expect((await embed(of('a', 'one'))).cached).toBe(0);
    expect(await cache.invalidate('ten_b', { pattern: '*' })).toBe(0);
    expect(await cache.invalidate(DEFAULT_TENANT, { pattern: 'embedding/up/m/*' })).toBe(2);
  });

  test('it holds no more than its bytes; with none it is not there', async () => {
    const { embed, cache } = setUp({ memoryBytes: 20_000 });
    for (let at = 0; at < 200; at++) await embed(callOf([`text ${at}`]));
    const { memory } = cache.stats(DEFAULT_TENANT);
    expect(memory.bytes).toBeLessThanOrEqual(20_000);
    expect(memory.entries).toBeGreaterThan(10);
    const off = setUp({ memoryBytes: 0 });
    await off.embed(callOf(['a']));
    expect((await off.embed(callOf(['a']))).cached).toBe(0);
    expect(off.cache.stats(DEFAULT_TENANT).lookups).toBe(0);
  });
});
