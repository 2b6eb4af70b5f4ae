import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createAnswerCache } from '../../src/gateway/cache/answer-cache.ts';
import type { ModelCall } from '../../src/gateway/model-call.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Secret } from '../../src/lib/secret.ts';
import { systemSleep } from '../../src/lib/sleep.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { noUsage } from '../../src/spec/usage.ts';
import { createRedisCacheStore } from '../../src/stores/redis/redis-cache-store.ts';
import { createRedisConnection, type RedisConnection } from '../../src/stores/redis/redis-connection.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';

const COMMAND_TIMEOUT_MS = 150;
/** As often as the connection looks whether Redis is back, with room for a busy machine. */
const RECOVERY_LIMIT_MS = 5_000;
const PLAN = {
  targets: [{ name: 'up/m', provider: 'up', endpoint: { wire: 'openai' as const } }],
  cache: { ttlMs: 60_000, scope: 'tenant' as const },
};

describe.skipIf(!redisAvailable)(`faults 5: the cache and a Redis in trouble${redisMissing}`, () => {
  let redis: RedisServer;
  let connection: RedisConnection;
  let cache: ReturnType<typeof createAnswerCache>;

  beforeEach(async () => {
    redis = await startRedis();
    connection = createRedisConnection({
      url: new Secret(redis.url),
      prefix: 'f:',
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      log: { info: () => undefined, warn: () => undefined },
    });
    cache = createAnswerCache({
      shared: createRedisCacheStore({ connection }),
      memoryBytes: 1_000_000,
      clock: systemClock,
      sleep: systemSleep,
      defaultTtlMs: 1_000,
      placeOf: () => 'host',
    });
    await connection.run((client) => client.ping());
  });
  afterEach(async () => {
    await connection.close();
    await redis.stop();
  });

  const callOf = (question: string): ModelCall => ({
    requestId: 'req_1',
    principal: {
      tenantId: DEFAULT_TENANT,
      keyId: 'key_a',
      name: 'a',
      role: 'member',
      allowedRoutes: [],
      limits: {},
    },
    route: 'fast',
    signal: new AbortController().signal,
    stream: false,
    request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: question }] }] }),
    tags: [`document:${question}`],
  });
  const usage = noUsage('reported');
  const kept = {
    usage,
    result: () => ({
      id: 'x',
      model: 'm',
      createdMs: 1,
      parts: [{ type: 'text' as const, text: 'kept' }],
      finish: 'stop' as const,
      usage,
    }),
  };
  async function ask(question: string): Promise<string> {
    const look = await cache.look(callOf(question), PLAN);
    if (look?.kind === 'lead') look.keep(kept);
    return look?.kind === 'hit' ? look.level : 'miss';
  }

  test.each([
    ['killed', () => redis.kill(), () => redis.restart()],
    ['black-holed', () => Promise.resolve(redis.pause()), () => Promise.resolve(redis.resume())],
    ['out of memory', () => redis.configSet('maxmemory', '1'), () => redis.configSet('maxmemory', '0')],
    [
      'read-only',
      () => redis.configSet('min-replicas-to-write', '1'),
      () => redis.configSet('min-replicas-to-write', '0'),
    ],
  ])(
    '%s: calls go on with the memory alone, at once after the first, and the store is used again soon',
    async (_, breaks, mends) => {
      expect(await ask('before')).toBe('miss');
      await breaks();
      const startedMs = performance.now();
      const questions = Array.from({ length: 300 }, (_, at) => `q${at}`);
      for (const question of questions) expect(await ask(question)).toBe('miss');
      for (const question of ['before', ...questions]) expect(await ask(question)).toBe('memory');
      // One wait until Redis is known to be down, not one for each call.
      expect(performance.now() - startedMs).toBeLessThan(COMMAND_TIMEOUT_MS * 10);
      await mends();
      const backMs = performance.now();
      let round = 0;
      await eventually(
        'what is kept is shared again',
        async () => {
          const question = `after ${round++}`;
          await ask(question);
          const found = await connection.run((client) => client.keys(`f:cache:entry:${DEFAULT_TENANT}/fast/*`));
          return found.length > 1;
        },
        RECOVERY_LIMIT_MS,
      );
      expect(performance.now() - backMs).toBeLessThan(RECOVERY_LIMIT_MS);
    },
  );

  test('an invalidation that Redis did not hear fails loudly, and this process has forgotten all the same', async () => {
    await ask('a');
    await ask('b');
    await redis.kill();
    expect(cache.invalidate(DEFAULT_TENANT, { document: 'a' })).rejects.toMatchObject({ code: 'storage_unavailable' });
    await eventually('it is known to be down', () => !connection.isUp());
    expect(await ask('a')).toBe('miss');
    expect(await ask('b')).toBe('memory');
  });

  test('flushed: what is in memory stays in use for a minute, and nothing fails', async () => {
    await ask('a');
    await redis.command('FLUSHALL');
    expect(await ask('a')).toBe('memory');
    expect(await ask('b')).toBe('miss');
    expect(await cache.invalidate(DEFAULT_TENANT, { document: 'b' })).toBe(1);
  });
});
