import { Queue, Worker, type Job } from 'bullmq';
import type { Clock } from '../../lib/clock.ts';
import { MAX_LAPSES, type JobPage, type JobQueue, type LeasedJob } from '../../ports/job-queue.ts';
import type { TenantId } from '../../spec/ids.ts';
import { boundProgress, type JobId, type JobProgress, type JobQueueName, type JobRecord } from '../../spec/job.ts';
import { hashOfJob, hashOfReply, JOB_QUEUES, JOB_STATES, jobOfHash } from './job-hash.ts';
import { ADD_JOB, BEGIN_JOB, CANCEL_JOB, END_LEASE, FORGET_JOB, LOOK_AT_JOB, REPLAY_JOB } from './job-scripts.ts';
import type { RedisConnection } from './redis-connection.ts';
import { runScript, type Script } from './run-script.ts';

export interface BullmqJobQueueOptions {
  /** A connection of its own: it is closed with the queue. */
  connection: RedisConnection;
  clock: Clock;
  newToken: () => string;
  /** How often jobs are looked for whose workers have died. */
  stalledIntervalMs: number;
}

/** How long a job is locked that was taken and whose taker was never told. */
const UNTOLD_MS = 10_000;
const TRIES_PER_TAKE = 8;
const IDS_PER_STEP = 200;
const MOST_IMPORTANT = 9;
const LAPSED = { code: 'internal', message: `Its worker ended ${MAX_LAPSES} times before the work was done.` };

/**
 * Jobs in Redis. BullMQ orders and delays them, hands each to one worker and takes it back from workers that fall
 * silent (its lock is the lease); what a job is and how it stands is a record of ours, changed in one step and only
 * under the lock. BullMQ delivers at least once, and the record decides: a job that was delivered again after its
 * end is dropped. So a crash between the two is mended by the next delivery, or by `prune`, which hands over again
 * what waits and is not in line.
 *
 * Jobs live as long as Redis keeps them: it needs `appendonly yes` and `maxmemory-policy noeviction`.
 */
export function createBullmqJobQueue(options: BullmqJobQueueOptions): JobQueue {
  const { connection, clock, newToken } = options;
  const prefix = `${connection.prefix}jobs:`;
  const bullPrefix = `${connection.prefix}bull`;
  const client = connection.duplicate();
  const common = { connection: client, prefix: bullPrefix, skipVersionCheck: true, skipWaitingForReady: true };
  // What goes wrong is told by the verb that it goes wrong in; an error event without a listener ends the process.
  const quiet = (): void => undefined;

  const queues = new Map(
    JOB_QUEUES.map((name) => {
      const queue = new Queue(name, { ...common, streams: { events: { maxLen: 100 } } });
      queue.on('error', quiet);
      return [name, queue];
    }),
  );
  const workers = new Map<JobQueueName, Worker>();

  function workerOf(name: JobQueueName): Worker {
    const known = workers.get(name);
    if (known !== undefined) return known;
    const worker = new Worker(name, undefined, {
      ...common,
      autorun: false,
      lockDuration: UNTOLD_MS,
      stalledInterval: options.stalledIntervalMs,
      // The record counts them.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    worker.on('error', quiet);
    workers.set(name, worker);
    return worker;
  }

  const recordKey = (id: JobId): string => `${prefix}job:${id}`;
  const lockKey = (queue: JobQueueName, id: JobId): string => `${bullPrefix}:${queue}:${id}:lock`;
  const script = (of: Script, keys: readonly string[], ...args: readonly (string | number)[]): Promise<unknown> =>
    connection.run((redis) => runScript(redis, of, keys, [prefix, ...args]));

  /** Puts a job in line. One that stands there already stays as it is. */
  async function enqueue(job: Pick<JobRecord, 'id' | 'queue' | 'priority'>): Promise<void> {
    const queue = queues.get(job.queue);
    if (queue === undefined) return;
    const settings = { jobId: job.id, priority: MOST_IMPORTANT - job.priority, removeOnComplete: true };
    await connection.run(() => queue.add('job', {}, settings));
  }

  async function recordsOf(ids: readonly JobId[]): Promise<JobRecord[]> {
    const hashes = await connection.run((redis) => Promise.all(ids.map((id) => redis.hgetall(recordKey(id)))));
    return ids.flatMap((id, at) => jobOfHash(id, hashes[at] ?? {}) ?? []);
  }

  async function get(tenantId: TenantId, id: JobId): Promise<JobRecord | undefined> {
    const [job] = await recordsOf([id]);
    return job?.tenantId === tenantId ? job : undefined;
  }

  function leased(bull: Job, job: JobRecord, token: string, leaseMs: number): LeasedJob {
    const keys = [recordKey(job.id), lockKey(job.queue, job.id)];
    const look = async (progress: JobProgress | undefined) => {
      const text = progress === undefined ? '' : textOf(progress);
      const state = await script(LOOK_AT_JOB, keys, job.id, token, text);
      return state === 'held' || state === 'cancelled' ? state : 'lost';
    };
    /** Ends the lease by the record first; what BullMQ is not told then it finds out when it delivers again. */
    const end = async (
      to: { state: 'waiting' | 'done' | 'failed' | 'cancelled'; notBeforeMs?: number; attempts?: number },
      fields: Readonly<Record<string, string>>,
      progress?: JobProgress,
    ): Promise<boolean> => {
      const now = clock.nowMs();
      const written = { ...fields, ...(progress !== undefined && { progress: textOf(progress) }) };
      const args = [now, token, to.state, to.notBeforeMs ?? now, to.attempts ?? 0, ...Object.entries(written).flat()];
      const state = await script(END_LEASE, keys, job.id, ...args);
      if (typeof state !== 'string') return false;
      await connection.run(() => tellBull(state, to.notBeforeMs)).catch(quiet);
      return true;
    };
    const tellBull = async (state: string, notBeforeMs: number | undefined): Promise<void> => {
      if (state !== 'waiting') await bull.moveToCompleted('', token, false);
      else if (notBeforeMs === undefined) await bull.moveToWait(token);
      else await bull.moveToDelayed(notBeforeMs, token);
    };
    return {
      job,
      renew: async () => {
        const kept = await connection.run(() => bull.extendLock(token, leaseMs));
        return kept === 1 ? look(undefined) : 'lost';
      },
      report: look,
      done: (result, progress) => end({ state: 'done' }, { result: JSON.stringify(result), failure: '' }, progress),
      fail: ({ failure, next, progress }) =>
        end(
          next === 'give up' ? { state: 'failed' } : { state: 'waiting', notBeforeMs: next.retryAtMs },
          { failure: JSON.stringify(failure) },
          progress,
        ),
      release: () => end({ state: 'waiting', attempts: -1 }, {}),
      cancelled: (progress) => end({ state: 'cancelled' }, {}, progress),
    };
  }

  /** Puts in line what its record says is open and BullMQ does not know. */
  async function mend(): Promise<void> {
    for (const queue of JOB_QUEUES) {
      for (const state of ['waiting', 'active']) {
        const ids = (
          await connection.run((redis) =>
            redis.zrange(`${prefix}state:${queue}:${state}`, '0', String(IDS_PER_STEP - 1)),
          )
        ).filter(isJobId);
        const known = await connection.run((redis) =>
          Promise.all(ids.map((id) => redis.exists(`${bullPrefix}:${queue}:${id}`))),
        );
        for (const job of await recordsOf(ids.filter((_, at) => known[at] === 0))) await enqueue(job);
      }
    }
  }

  return {
    add: async (job) => {
      if ((await script(ADD_JOB, [recordKey(job.id)], job.id, clock.nowMs(), ...hashOfJob(job))) !== 1) return;
      try {
        await enqueue(job);
      } catch (thrown) {
        await script(FORGET_JOB, [recordKey(job.id)], job.id).catch(quiet);
        throw thrown;
      }
    },

    take: async (queue, leaseMs) => {
      const worker = workerOf(queue);
      // The library's own loop ends, or waits for ever, at some errors of a connection that breaks; here each taking
      // looks for jobs of workers that fell silent. One look of any process within the interval is enough.
      await connection.run(() => worker.backend.moveStalledJobsToWait());
      for (let tries = 0; tries < TRIES_PER_TAKE; tries++) {
        const token = newToken();
        const bull: Job | undefined = await connection.run(() => worker.getNextJob(token, { block: false }));
        if (bull?.id === undefined || !isJobId(bull.id)) return undefined;
        const { id } = bull;
        const failure = JSON.stringify(LAPSED);
        const keys = [recordKey(id), lockKey(queue, id)];
        const args = [id, clock.nowMs(), token, leaseMs, MAX_LAPSES, failure];
        const hash = hashOfReply(await script(BEGIN_JOB, keys, ...args));
        const job = hash && jobOfHash(id, hash);
        if (job !== undefined) return leased(bull, job, token, leaseMs);
        // It has ended; the delivery was one too many.
        await connection.run(() => bull.moveToCompleted('', token, false)).catch(quiet);
      }
      return undefined;
    },

    get,

    list: async (tenantId, page) => {
      const index = page.keyId === undefined ? `${prefix}tenant:${tenantId}` : `${prefix}key:${tenantId}:${page.keyId}`;
      const found: JobRecord[] = [];
      for (let from = page.before === undefined ? '+' : `(${page.before}`; found.length < page.limit;) {
        const ids = (
          await connection.run((redis) => redis.zrevrangebylex(index, from, '-', 'LIMIT', 0, IDS_PER_STEP))
        ).filter(isJobId);
        const last = ids.at(-1);
        if (last === undefined) break;
        from = `(${last}`;
        found.push(...(await recordsOf(ids)).filter((job) => isOn(page, job)));
      }
      return found.slice(0, page.limit);
    },

    open: (tenantId) => connection.run((redis) => redis.scard(`${prefix}open:${tenantId}`)),

    cancel: async (tenantId, id) => {
      const answer = await script(CANCEL_JOB, [recordKey(id)], id, clock.nowMs(), tenantId);
      if (answer !== 'cancelled') return answer === 'asked';
      const job = await get(tenantId, id);
      const queue = job && queues.get(job.queue);
      // Where it stays in line, it is dropped when its turn comes.
      if (queue !== undefined) await connection.run(() => queue.remove(id)).catch(quiet);
      return true;
    },

    replay: async (tenantId, id) => {
      if ((await script(REPLAY_JOB, [recordKey(id)], id, clock.nowMs(), tenantId)) !== 1) return false;
      const job = await get(tenantId, id);
      if (job !== undefined) await enqueue(job);
      return true;
    },

    prune: async (endedBeforeMs) => {
      await mend();
      let pruned = 0;
      for (const set of JOB_QUEUES.flatMap((queue) =>
        ['done', 'failed', 'cancelled'].map((state) => `${prefix}state:${queue}:${state}`),
      )) {
        for (let found = IDS_PER_STEP; found === IDS_PER_STEP;) {
          const ids = await connection.run((redis) =>
            redis.zrangebyscore(set, '-inf', `(${endedBeforeMs}`, 'LIMIT', 0, IDS_PER_STEP),
          );
          found = ids.length;
          pruned += found;
          for (const id of ids.filter(isJobId)) await script(FORGET_JOB, [recordKey(id)], id);
        }
      }
      return pruned;
    },

    counts: async () => {
      const all = JOB_QUEUES.flatMap((queue) => JOB_STATES.map((state) => ({ queue, state })));
      const counted = await connection.run((redis) =>
        Promise.all(all.map(({ queue, state }) => redis.zcard(`${prefix}state:${queue}:${state}`))),
      );
      return all.map((each, at) => ({ ...each, jobs: counted[at] ?? 0 })).filter(({ jobs }) => jobs > 0);
    },

    oldestWaiting: async () => {
      const first = await connection.run((redis) =>
        Promise.all(JOB_QUEUES.map((queue) => redis.zrange(`${prefix}state:${queue}:waiting`, '0', '0', 'WITHSCORES'))),
      );
      return JOB_QUEUES.flatMap((queue, at) => {
        const createdMs = first[at]?.[1];
        return createdMs === undefined ? [] : [{ queue, createdMs: Number(createdMs) }];
      });
    },

    close: async () => {
      // What is open is not waited for: every lease has been ended or will end by itself.
      await Promise.all([...workers.values()].map((worker) => worker.close(true).catch(quiet)));
      await Promise.all([...queues.values()].map((queue) => queue.close().catch(quiet)));
      client.disconnect();
      await connection.close();
    },
  };
}

function textOf(progress: JobProgress): string {
  return JSON.stringify(boundProgress(progress));
}

function isOn({ state, queue }: JobPage, job: JobRecord): boolean {
  return (state === undefined || job.state === state) && (queue === undefined || job.queue === queue);
}

function isJobId(id: string): id is JobId {
  return id.startsWith('job_');
}
