import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { createAnswerCache, type AnswerCache } from '../../src/gateway/cache/answer-cache.ts';
import type { ModelCall } from '../../src/gateway/model-call.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { Secret } from '../../src/lib/secret.ts';
import { systemSleep } from '../../src/lib/sleep.ts';
import { DEFAULT_TENANT, newId, type TenantId } from '../../src/spec/ids.ts';
import { noUsage } from '../../src/spec/usage.ts';
import { createRedisCacheStore } from '../../src/stores/redis/redis-cache-store.ts';
import { createRedisConnection } from '../../src/stores/redis/redis-connection.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';

const TTL_MS = 3_600_000;
const PLAN = {
  targets: [{ name: 'up/m', provider: 'up', endpoint: { wire: 'openai' as const } }],
  cache: { ttlMs: TTL_MS, scope: 'tenant' as const },
};

interface Replica {
  cache: AnswerCache;
  clock: Clock & { now: number };
  close(): Promise<void>;
}

describe.skipIf(!redisAvailable)(`answer caches of two replicas over one Redis${redisMissing}`, () => {
  let redis: RedisServer;
  let [a, b]: Replica[] = [];

  function openReplica(): Replica {
    const connection = createRedisConnection({
      url: new Secret(redis.url),
      prefix: 'r:',
      commandTimeoutMs: 1_000,
      log: { info: () => undefined, warn: () => undefined },
    });
    const shared = createRedisCacheStore({ connection });
    const clock = { now: 1_000_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
    const cache = createAnswerCache({
      shared,
      memoryBytes: 1_000_000,
      clock,
      sleep: systemSleep,
      defaultTtlMs: 1_000,
      placeOf: () => 'host',
    });
    const close = async (): Promise<void> => {
      await shared.close();
      await connection.close();
    };
    return { cache, clock, close };
  }

  const callOf = (question: string, more: { tags?: string[]; tenantId?: TenantId; ttlMs?: number } = {}): ModelCall => {
    const messages = [{ role: 'user' as const, parts: [{ type: 'text' as const, text: question }] }];
    return {
      requestId: newId('req'),
      principal: {
        tenantId: more.tenantId ?? DEFAULT_TENANT,
        keyId: 'key_a',
        name: 'a',
        role: 'member',
        allowedRoutes: [],
        limits: {},
      },
      route: 'fast',
      signal: new AbortController().signal,
      stream: false,
      request: () => ({ messages }),
      ...(more.tags && { tags: more.tags }),
      ...(more.ttlMs !== undefined && { cache: { wish: 'use', ttlMs: more.ttlMs } }),
    };
  };
  const answer = (text: string) => {
    const usage = noUsage('reported');
    return {
      usage,
      result: () => ({
        id: 'x',
        model: 'm',
        createdMs: 1,
        parts: [{ type: 'text' as const, text }],
        finish: 'stop' as const,
        usage,
      }),
    };
  };

  /** Where a replica has the answer; a miss is given up. */
  async function levelAt(replica: Replica | undefined, call: ModelCall): Promise<string> {
    const look = await replica?.cache.look(call, PLAN);
    if (look?.kind === 'lead') look.abandon();
    return look === undefined ? 'none' : look.kind === 'hit' ? look.level : 'miss';
  }
  async function fill(replica: Replica | undefined, call: ModelCall): Promise<void> {
    const look = await replica?.cache.look(call, PLAN);
    if (look?.kind !== 'lead') throw new Error('It is there already.');
    look.keep(answer('kept'));
  }
  const sharedWith = (replica: Replica | undefined, call: ModelCall) =>
    eventually('it is shared', async () => (await levelAt(replica, call)) === 'shared');

  beforeAll(async () => {
    redis = await startRedis();
    [a, b] = [openReplica(), openReplica()];
    // Both listen from here on.
    await eventually('both listen', async () => {
      const counted = await redis.command('PUBSUB', 'NUMSUB', 'r:cache:removed');
      return counted.includes(':2');
    });
  });
  beforeEach(() => redis.command('FLUSHALL'));
  afterAll(async () => {
    await a?.close();
    await b?.close();
    await redis.stop();
  });

  test('what one keeps the other gives, first from the store and then from its memory', async () => {
    const call = callOf('promotion', { tags: ['t'] });
    await fill(a, call);
    await sharedWith(b, call);
    expect(await levelAt(b, call)).toBe('memory');
    expect(b?.cache.stats(DEFAULT_TENANT)).toMatchObject({ memoryHits: 1, sharedHits: 1, memory: { entries: 1 } });
  });

  test('an entry ends everywhere when it ends: the time that is left goes with it', async () => {
    const call = callOf('time', { ttlMs: 10_000 });
    await fill(a, call);
    if (b) b.clock.now += 9_000;
    await sharedWith(b, call);
    if (b) b.clock.now += 999;
    expect(await levelAt(b, call)).toBe('memory');
    if (b) b.clock.now += 1;
    expect(await levelAt(b, call)).toBe('miss');
  });

  test('memory is asked again for what is a minute old: a lost message costs no more', async () => {
    const call = callOf('lost');
    await fill(a, call);
    await sharedWith(b, call);
    await redis.command('FLUSHALL');
    if (b) b.clock.now += 59_999;
    expect(await levelAt(b, call)).toBe('memory');
    if (b) b.clock.now += 1;
    expect(await levelAt(b, call)).toBe('miss');
  });

  test.each([{ document: 'd1' }, { tag: 'collection:c' }, { route: 'fast' }, { pattern: 'fa?t/*' }])(
    'K7: invalidation by %p reaches the memory of every replica',
    async (selection) => {
      const question = JSON.stringify(selection);
      const call = callOf(question, { tags: ['document:d1', 'collection:c'] });
      const other = callOf(question, { tags: ['document:d1'], tenantId: 'ten_b' });
      for (const each of [call, other]) {
        await fill(a, each);
        await sharedWith(b, each);
      }
      expect(await b?.cache.invalidate(DEFAULT_TENANT, selection)).toBeGreaterThan(0);
      expect(await levelAt(b, call)).toBe('miss');
      await eventually('the other replica forgets', async () => (await levelAt(a, call)) === 'miss');
      for (const replica of [a, b]) expect(await levelAt(replica, other)).toBe('memory');
    },
  );

  test('K7: an answer under way at one replica is not kept when another invalidates its document', async () => {
    const call = callOf('under way', { tags: ['document:d2'] });
    const witness = callOf('witness', { tags: ['document:d2'] });
    await fill(a, witness);
    await sharedWith(b, witness);
    const look = await a?.cache.look(call, PLAN);
    await b?.cache.invalidate(DEFAULT_TENANT, { document: 'd2' });
    await eventually('the message is there', async () => (await levelAt(a, witness)) === 'miss');
    if (look?.kind === 'lead') look.keep(answer('stale'));
    expect(await levelAt(a, call)).toBe('miss');
    expect(await levelAt(b, call)).toBe('miss');
  });

  test('what another version wrote is not read', async () => {
    const call = callOf('version');
    await fill(a, call);
    await sharedWith(b, call);
    const [, key = ''] = (await redis.command('KEYS', 'r:cache:entry:*'))
      .split('\r\n')
      .filter((line) => !/^[*$]/.test(line))
      .reverse();
    expect(key).toContain('fast/');
    await redis.command('HSET', key, 'value', 'something else');
    for (const replica of [a, b]) if (replica) replica.clock.now += 60_000;
    expect(await levelAt(a, call)).toBe('miss');
  });
});
