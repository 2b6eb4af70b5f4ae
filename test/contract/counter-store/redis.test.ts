import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Secret } from '../../../src/lib/secret.ts';
import { createRedisConnection, type RedisConnection } from '../../../src/stores/redis/redis-connection.ts';
import { createRedisCounterStore } from '../../../src/stores/redis/redis-counter-store.ts';
import { eventually } from '../../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../../support/redis-server.ts';
import { counterStoreContract } from './counter-store.contract.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const open = (redis: RedisServer): RedisConnection =>
  createRedisConnection({ url: new Secret(redis.url), prefix: 't:', commandTimeoutMs: 2_000, log: quiet });

/** The server's time cannot be set: it is waited for. */
const passed = async (ms: number): Promise<void> => {
  const endMs = performance.now() + ms;
  await eventually('time passes', () => performance.now() >= endMs, ms + 1_000);
};

if (redisAvailable) {
  counterStoreContract('redis', async () => {
    const redis = await startRedis();
    const connection = open(redis);
    const store = createRedisCounterStore({ connection });
    return {
      store,
      advance: passed,
      toleranceMs: 25,
      stop: async () => {
        await store.close();
        await connection.close();
        await redis.stop();
      },
    };
  });
}

describe.skipIf(!redisAvailable)(`redis counter store${redisMissing}`, () => {
  let redis: RedisServer;
  let connections: RedisConnection[];
  beforeAll(async () => {
    redis = await startRedis();
    connections = Array.from({ length: 4 }, () => open(redis));
  });
  afterAll(async () => {
    await Promise.all(connections.map((each) => each.close()));
    await redis.stop();
  });

  test('C1: of many at once from four replicas on a level for one exactly one passes', async () => {
    const stores = connections.map((connection) => createRedisCounterStore({ connection }));
    const takes = [{ key: '{t}budget', amount: 7, limit: 10, mode: 'enforce' as const }];
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => stores[at % 4]?.take({ id: `res_${at}`, takes, leaseMs: 60_000 })),
    );
    expect(answers.filter((answer) => answer?.outcome === 'taken')).toHaveLength(1);
  });

  test('what a store keeps ends by itself: every key has a time to live', async () => {
    const [connection] = connections;
    if (connection === undefined) throw new Error('There is no connection.');
    const store = createRedisCounterStore({ connection });
    const mode = 'enforce' as const;
    const takes = [
      { key: '{t}a', amount: 1, limit: 10, windowMs: 60_000, mode },
      { key: '{t}b', amount: 1, limit: 10, mode },
      { key: '{t}c', amount: 1, limit: 10, mode, needsSeed: true },
    ];
    await store.take({ id: 'res_x', takes, leaseMs: 1_000 });
    await store.seed('{t}c', 3);
    await store.take({ id: 'res_x', takes, leaseMs: 1_000 });
    await store.renew(['res_x'], 1_000);
    await store.settle('res_x', [
      { key: '{t}a', reserved: 1, used: 3, limit: 10, windowMs: 60_000, keeps: false },
      { key: '{t}b', reserved: 1, used: 0, limit: 10, keeps: false },
      { key: '{t}c', reserved: 1, used: 2, limit: 10, keeps: true },
    ]);
    const { client } = connection;
    const keys = (await client.keys('t:*')).filter((key) => key !== 't:probe');
    expect(keys.length).toBeGreaterThanOrEqual(4);
    for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0);
  });

  test('every verb runs on a node of a cluster: the keys of one call lie in one slot', async () => {
    const node = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const connection = open(node);
    const store = createRedisCounterStore({ connection });
    const mode = 'enforce' as const;
    const takesOf = (tag: string) => [
      { key: `${tag}rate`, amount: 1, limit: 10, windowMs: 60_000, mode },
      { key: `${tag}flight`, amount: 1, limit: 10, mode },
      { key: `${tag}money`, amount: 1, limit: 10, mode, needsSeed: true },
    ];
    try {
      await eventually('the cluster is up', () => connection.run((client) => client.set('t:x', 1)));
      for (const tag of ['{ten_a}', '{ten_b}']) {
        await store.seed(`${tag}money`, 1);
        const reservation = { id: `res_${tag}`, takes: takesOf(tag), leaseMs: 1_000 };
        expect(await store.take(reservation)).toMatchObject({ outcome: 'taken', remaining: [9, 9, 8] });
      }
      await store.renew(['res_{ten_a}', 'res_{ten_b}'], 1_000);
      await store.settle('res_{ten_a}', [
        { key: '{ten_a}rate', reserved: 1, used: 3, limit: 10, windowMs: 60_000, keeps: false },
        { key: '{ten_a}flight', reserved: 1, used: 0, limit: 10, keeps: false },
        { key: '{ten_a}money', reserved: 1, used: 2, limit: 10, keeps: true },
      ]);
      const after = await store.take({ id: 'res_after', takes: takesOf('{ten_a}'), leaseMs: 1_000 });
      expect(after).toMatchObject({ outcome: 'taken', remaining: [6, 9, 6] });
    } finally {
      await connection.close();
      await node.stop();
    }
  });

  test('a hash that was evicted is added up anew from its holds', async () => {
    const [connection] = connections;
    if (connection === undefined) throw new Error('There is no connection.');
    const store = createRedisCounterStore({ connection });
    const takes = [{ key: '{t}evicted', amount: 6, limit: 10, mode: 'enforce' as const }];
    await store.take({ id: 'res_held', takes, leaseMs: 60_000 });
    await connection.client.del('t:l:{t}evicted');
    expect(await store.take({ id: 'res_next', takes, leaseMs: 60_000 })).toMatchObject({ outcome: 'refused' });
  });

  test('a server whose clock is elsewhere is believed: its time, and takes that are not too late', async () => {
    const [connection] = connections;
    if (connection === undefined) throw new Error('There is no connection.');
    const hour = 3_600_000;
    const clock = { skew: 0, nowMs: () => Date.now() - hour, monotonicMs: () => performance.now() + clock.skew };
    const store = createRedisCounterStore({ connection, clock });
    const take = (id: string) =>
      store.take({ id, leaseMs: 1_000, takes: [{ key: '{t}skew', amount: 1, limit: 5, mode: 'enforce' }] });
    expect(Date.now() - store.nowMs()).toBeGreaterThan(hour - 1_000);
    await take('res_1');
    expect(Math.abs(Date.now() - store.nowMs())).toBeLessThan(1_000);
    // As after a failover to a server that is an hour ahead of what was learned.
    clock.skew = -hour;
    expect(await take('res_2')).toMatchObject({ outcome: 'taken' });
  });
});
