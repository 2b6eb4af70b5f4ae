import { describe } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { createBullmqJobQueue } from '../../../src/stores/redis/bullmq-job-queue.ts';
import { createRedisConnection } from '../../../src/stores/redis/redis-connection.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../../support/redis-server.ts';
import { jobQueueContract } from './job-queue.contract.ts';

const quiet = { info: () => undefined, warn: () => undefined };

function open(redis: RedisServer) {
  const connection = createRedisConnection({
    url: new Secret(redis.url),
    prefix: 'c*[x]:',
    commandTimeoutMs: 2_000,
    log: quiet,
  });
  return createBullmqJobQueue({
    connection,
    clock: systemClock,
    newToken: () => crypto.randomUUID(),
    stalledIntervalMs: 40,
  });
}

if (redisAvailable) {
  jobQueueContract('redis', async () => {
    const redis = await startRedis();
    return {
      queue: open(redis),
      other: open(redis),
      nowMs: () => Date.now(),
      elapse: (ms) => Bun.sleep(ms),
      recoveryMs: 1_000,
      stop: () => redis.stop(),
    };
  });
} else {
  describe.skip(`job queue: redis${redisMissing}`, () => undefined);
}
