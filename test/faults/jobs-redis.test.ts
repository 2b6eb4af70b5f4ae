import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { openJobs, type JobRoom } from '../../src/jobs/open-jobs.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Secret } from '../../src/lib/secret.ts';
import { systemSleep } from '../../src/lib/sleep.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { JobId } from '../../src/spec/job.ts';
import { createBullmqJobQueue } from '../../src/stores/redis/bullmq-job-queue.ts';
import { createRedisConnection } from '../../src/stores/redis/redis-connection.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';

const LEASE_MS = 1_500;
const RECOVERY_MS = 15_000;
const JOBS = 12;

describe.skipIf(!redisAvailable)(`jobs while Redis fails${redisMissing}`, () => {
  let redis: RedisServer;
  let room: JobRoom;
  /** How often each job was done to its end. */
  const ended = new Map<JobId, number>();
  let held: Promise<void> = Promise.resolve();
  let letGo = (): void => undefined;

  beforeEach(async () => {
    ended.clear();
    held = new Promise((resolve) => {
      letGo = resolve;
    });
    redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const quiet = { info: () => undefined, warn: () => undefined };
    const url = new Secret(redis.url);
    room = openJobs({
      queue: createBullmqJobQueue({
        connection: createRedisConnection({ url, prefix: 'faults:', commandTimeoutMs: 500, log: quiet }),
        clock: systemClock,
        newToken: () => crypto.randomUUID(),
        stalledIntervalMs: 300,
      }),
      clock: systemClock,
      sleep: systemSleep,
      random: Math.random,
      principalOf: (tenantId) =>
        Promise.resolve({ tenantId, keyId: 'key_a', name: 'a', role: 'admin', allowedRoutes: [], limits: {} }),
      workers: { indexing: 3, embedding: 0, query: 0 },
      leaseMs: LEASE_MS,
      retentionMs: 60_000,
      maxOpen: 100,
      events: {
        jobEnded: () => undefined,
        jobRetried: () => undefined,
        jobsCounted: () => undefined,
        storeDown: () => undefined,
      },
    });
    room.handle('test', {
      run: async ({ job, report }) => {
        report({ total: 2, done: 1, failed: 0, failures: [] });
        await held;
        ended.set(job.id, (ended.get(job.id) ?? 0) + 1);
        report({ total: 2, done: 2, failed: 0, failures: [] });
        return { job: job.id };
      },
    });
  });
  afterEach(async () => {
    letGo();
    await room.stop(1_000);
    await redis.stop();
  });

  async function submitAll(): Promise<JobId[]> {
    const ids: JobId[] = [];
    for (let n = 0; n < JOBS; n++) {
      const work = { tenantId: DEFAULT_TENANT, keyId: 'key_a', queue: 'indexing', kind: 'test', input: { n } } as const;
      ids.push((await room.submit(work)).id);
    }
    return ids;
  }

  async function allDone(ids: readonly JobId[]): Promise<void> {
    await eventually(
      'every job is done',
      async () => {
        for (const id of ids) if ((await room.get(DEFAULT_TENANT, id))?.state !== 'done') return false;
        return true;
      },
      RECOVERY_MS,
    );
    for (const id of ids) {
      const job = await room.get(DEFAULT_TENANT, id);
      expect(job).toMatchObject({ attempts: 1, result: { job: id }, progress: { total: 2, done: 2 }, failure: null });
      expect(ended.get(id)).toBeGreaterThanOrEqual(1);
    }
    expect(await room.list(DEFAULT_TENANT, { limit: 100, state: 'waiting' })).toEqual([]);
  }

  const begun = (): Promise<boolean> =>
    eventually('jobs are being done', async () => {
      const active = await room.list(DEFAULT_TENANT, { limit: 100, state: 'active' });
      return active.filter(({ progress }) => progress.done === 1).length === 3;
    });

  test(
    'faults 5: Redis does not answer for longer than the lease -> nothing is lost, everything is done when it is back',
    async () => {
      const ids = await submitAll();
      room.start();
      await begun();
      redis.pause();
      await Bun.sleep(LEASE_MS * 2);
      const refused = room.submit({
        tenantId: DEFAULT_TENANT,
        keyId: 'key_a',
        queue: 'indexing',
        kind: 'test',
        input: {},
      });
      await expect(refused).rejects.toMatchObject({ code: 'storage_unavailable' });
      letGo();
      redis.resume();
      await allDone(ids);
    },
    { timeout: 40_000 },
  );

  test(
    'faults 5: Redis is killed and comes back with its journal -> the same',
    async () => {
      const ids = await submitAll();
      room.start();
      await begun();
      await redis.kill();
      letGo();
      await Bun.sleep(LEASE_MS);
      await redis.restart();
      await allDone(ids);
    },
    { timeout: 40_000 },
  );

  test(
    'what is in no line any more, though its record waits, is put in line again by the upkeep',
    async () => {
      letGo();
      const ids = await submitAll();
      // As a crash leaves it between the record and BullMQ.
      for (const key of await keys('faults:bull:*')) await redis.command('DEL', key);
      room.start();
      await allDone(ids);
    },
    { timeout: 40_000 },
  );

  async function keys(pattern: string): Promise<string[]> {
    // The first reply holds every key: they are few and short.
    const reply = await redis.command('KEYS', pattern);
    return reply.split('\r\n').filter((line) => line.startsWith('faults:'));
  }
});
