import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Secret } from '../../../src/lib/secret.ts';
import type { CacheSelection } from '../../../src/ports/cache-store.ts';
import { createRedisCacheStore } from '../../../src/stores/redis/redis-cache-store.ts';
import { createRedisConnection } from '../../../src/stores/redis/redis-connection.ts';
import { eventually } from '../../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../../support/redis-server.ts';
import { cacheStoreContract } from './cache-store.contract.ts';

const quiet = { info: () => undefined, warn: () => undefined };

function openReplica(redis: RedisServer) {
  const connection = createRedisConnection({
    url: new Secret(redis.url),
    prefix: 'c*[x]:',
    commandTimeoutMs: 2_000,
    log: quiet,
  });
  const store = createRedisCacheStore({ connection });
  const heard: CacheSelection[] = [];
  store.onRemoved((selection) => void heard.push(selection));
  const close = async (): Promise<void> => {
    await store.close();
    await connection.close();
  };
  return { store, heard, close };
}

if (redisAvailable) {
  cacheStoreContract('redis', async () => {
    const redis = await startRedis();
    const { store, close } = openReplica(redis);
    return {
      store,
      elapse: async (ms) => {
        const end = performance.now() + ms;
        await eventually('time passes', () => performance.now() > end);
      },
      remove: async () => {
        await close();
        await redis.stop();
      },
    };
  });
}

describe.skipIf(!redisAvailable)(`cache store: redis, of several replicas${redisMissing}`, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const entry = (tags: string[] = []) => ({ value: Buffer.from('x'), ttlMs: 60_000, tags });

  test('what one keeps another gives, and every one hears of a removal', async () => {
    const [a, b] = [openReplica(redis), openReplica(redis)];
    await a.store.set('ten_a/k', entry(['t']));
    expect(await b.store.get('ten_a/k')).toBeDefined();
    await eventually('both hear', async () => {
      await b.store.remove({ tag: 't' });
      return a.heard.length > 0 && b.heard.length > 0;
    });
    expect(a.heard[0]).toEqual({ tag: 't' });
    expect(await a.store.get('ten_a/k')).toBeUndefined();
    await Promise.all([a.close(), b.close()]);
  });

  test('an entry whose tag was evicted is not given: it could not be removed any more', async () => {
    const { store, close } = openReplica(redis);
    await store.set('ten_a/tagged', entry(['lost']));
    await store.set('ten_a/plain', entry());
    const keys = await redis.command('KEYS', '*cache:tag:*');
    const name = keys.split('\r\n').find((line) => line.includes('cache:tag:')) ?? '';
    expect(await redis.command('DEL', name)).toContain(':1');
    expect(await store.get('ten_a/tagged')).toBeUndefined();
    expect(await store.get('ten_a/plain')).toBeDefined();
    await close();
  });

  test('a replica whose subscription broke is told to forget everything', async () => {
    const { store, heard, close } = openReplica(redis);
    await eventually('it listens', async () => {
      await store.remove({ tag: 'any' });
      return heard.length > 0;
    });
    heard.length = 0;
    await redis.restart();
    await eventually('it was told', () => heard.some((each) => 'pattern' in each && each.pattern === '*'));
    await close();
  });

  test('a Redis that is gone costs entries, never an error; only a removal says so', async () => {
    const lost = await startRedis();
    const { store, close } = openReplica(lost);
    await store.set('ten_a/k', entry());
    await lost.stop();
    await store.set('ten_a/k', entry());
    expect(await store.get('ten_a/k')).toBeUndefined();
    expect(store.remove({ tag: 't' })).rejects.toMatchObject({ code: 'storage_unavailable' });
    await close();
  });
});
