import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eventually } from '../../../test/support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../../../test/support/redis-server.ts';
import { Secret } from '../../lib/secret.ts';
import { SekishoError } from '../../spec/errors.ts';
import { createRedisConnection, type RedisConnection } from './redis-connection.ts';

const COMMAND_TIMEOUT_MS = 200;

describe.skipIf(!redisAvailable)(`redis connection${redisMissing}`, () => {
  let redis: RedisServer;
  let connection: RedisConnection;
  let events: string[];
  const open = (url = redis.url): RedisConnection => {
    events = [];
    const note = (event: string): void => void events.push(event);
    connection = createRedisConnection({
      url: new Secret(url),
      prefix: 't:',
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      log: { info: note, warn: note },
    });
    return connection;
  };
  const ping = (): Promise<string> => connection.run((client) => client.ping());
  const code = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      (value) => value,
      (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : thrown),
    );

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(() => connection.close());
  afterAll(() => redis.stop());

  test('the first work waits for the connection', async () => {
    open();
    expect(await ping()).toBe('PONG');
    expect(connection.isUp()).toBe(true);
    expect(events).toEqual([]);
  });

  test('where nobody listens, work is refused soon and later at once', async () => {
    open('redis://127.0.0.1:1');
    expect(await code(ping())).toBe('storage_unavailable');
    const startMs = performance.now();
    for (let at = 0; at < 100; at++) expect(await code(ping())).toBe('storage_unavailable');
    expect(performance.now() - startMs).toBeLessThan(COMMAND_TIMEOUT_MS);
  });

  test('a Redis that goes and comes back: refused meanwhile, and told once each', async () => {
    open();
    await ping();
    let told = 0;
    connection.onUp(() => told++);
    await redis.kill();
    expect(await code(ping())).toBe('storage_unavailable');
    await redis.restart();
    await eventually('it is up again', () => connection.isUp());
    expect(await ping()).toBe('PONG');
    expect(events).toEqual(['redis_down', 'redis_up']);
    expect(told).toBe(1);
  });

  test('a Redis that keeps its connections and answers nothing: two waits, then none', async () => {
    open();
    await ping();
    redis.pause();
    const startMs = performance.now();
    expect(await code(ping())).toBe('storage_unavailable');
    const firstMs = performance.now() - startMs;
    for (let at = 0; at < 100; at++) expect(await code(ping())).toBe('storage_unavailable');
    const allMs = performance.now() - startMs;
    redis.resume();
    expect(firstMs).toBeGreaterThanOrEqual(COMMAND_TIMEOUT_MS - 1);
    expect(allMs - firstMs).toBeLessThan(2 * COMMAND_TIMEOUT_MS);
    await eventually('it is up again', () => connection.isUp());
  });

  test('what comes while Redis is down is not sent, not even later', async () => {
    open();
    await ping();
    redis.pause();
    const given = Array.from({ length: 3 }, () => code(connection.run((client) => client.set('t:a', 1))));
    expect(await Promise.all(given)).toEqual(Array(3).fill('storage_unavailable'));
    await eventually('it is known to be down', () => !connection.isUp());
    // Refused without being sent.
    expect(await code(connection.run((client) => client.set('t:b', 1)))).toBe('storage_unavailable');
    redis.resume();
    await eventually('it is up again', () => connection.isUp());
    expect(await connection.run((client) => client.get('t:b'))).toBeNull();
  });

  test.each([
    ['out of memory', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
    [
      'without its replicas',
      ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
      ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
    ],
    ['a read-only replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE']],
  ])('%s: refused until writes are taken again', async (_, broken, whole) => {
    open();
    await ping();
    expect(await redis.command(...broken)).toStartWith('+OK');
    expect(await code(connection.run((client) => client.set('t:a', 1)))).toBe('storage_unavailable');
    expect(connection.isUp()).toBe(false);
    expect(await redis.command(...whole)).toStartWith('+OK');
    await eventually('it is up again', () => connection.isUp());
    expect(await connection.run((client) => client.set('t:a', 1))).toBe('OK');
  });

  test('one answer that comes late is no failure of the others; who waits for that is told', async () => {
    open();
    await ping();
    let told = 0;
    connection.onUp(() => told++);
    const own = connection.duplicate();
    await own.ping();
    // Blocks this one connection for longer than a command may take, and no other.
    expect(await code(connection.run(() => own.blpop('t:nothing', 0.3)))).toBe('storage_unavailable');
    expect(await ping()).toBe('PONG');
    await eventually('it is told', () => told === 1);
    expect(events).toEqual([]);
  });

  test('a reply that concerns one command leaves the connection up', async () => {
    open();
    await connection.run((client) => client.set('t:text', 'x'));
    expect(await code(connection.run((client) => client.incr('t:text')))).toBe('storage_unavailable');
    expect(connection.isUp()).toBe(true);
  });

  test('a subscriber hears, also after Redis was away', async () => {
    open();
    await ping();
    const subscriber = connection.duplicate();
    const heard: string[] = [];
    subscriber.on('message', (_channel: string, message: string) => void heard.push(message));
    await subscriber.subscribe('t:news');
    await connection.run((client) => client.publish('t:news', 'one'));
    await eventually('one', () => heard.includes('one'));
    await redis.restart();
    await eventually('two', async () => {
      await connection.run((client) => client.publish('t:news', 'two'));
      return heard.includes('two');
    });
  });
});
