import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import type { JobPage, JobQueue, LeasedJob } from '../ports/job-queue.ts';
import type { JobHandler, Jobs, Work } from '../ports/jobs.ts';
import { SekishoError } from '../spec/errors.ts';
import { newId, type TenantId } from '../spec/ids.ts';
import { NO_PROGRESS, type JobId, type JobQueueName, type JobRecord } from '../spec/job.ts';
import { keepLease, type JobLease } from './job-lease.ts';
import { createRunJob, type RunJobDeps } from './run-job.ts';
import { startUpkeep } from './upkeep.ts';
import { startWorkerPool, type WorkerPool } from './worker-pool.ts';

export interface JobsOptions extends Omit<RunJobDeps, 'handlerOf'> {
  queue: JobQueue;
  clock: Clock;
  sleep: Sleep;
  /** Jobs at once by queue, in this process; 0 leaves a queue to others. */
  workers: Readonly<Record<JobQueueName, number>>;
  leaseMs: number;
  /** How long ended jobs are kept. */
  retentionMs: number;
  /** Jobs of one tenant that may wait or run. */
  maxOpen: number;
}

/** Background work with its workers. */
export interface JobRoom extends Jobs {
  get(tenantId: TenantId, id: JobId): Promise<JobRecord | undefined>;
  list(tenantId: TenantId, page: JobPage): Promise<JobRecord[]>;
  /** Cancels a job, or asks its worker to stop. False where it has ended already. */
  cancel(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Puts a failed job back in line with all its tries. False where it is not failed. */
  replay(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Starts the workers. */
  start(): void;
  /** Takes nothing more and gives back what is not done within the time. */
  stop(graceMs: number): Promise<void>;
}

const QUEUES: readonly JobQueueName[] = ['indexing', 'embedding', 'query'];
const USUAL_PRIORITY = 5;
const USUAL_ATTEMPTS = 3;
const MAX_INPUT_BYTES = 1_000_000;
const BUSY_RETRY_MS = 10_000;

/** Background work over a queue: handlers by kind, workers by queue, and the upkeep of what has ended. */
export function openJobs(options: JobsOptions): JobRoom {
  const { queue, clock, sleep, leaseMs, events } = options;
  const handlers = new Map<string, JobHandler>();
  const running = new Map<JobId, JobLease>();
  const pools = new Map<JobQueueName, WorkerPool>();
  const closing = new AbortController();
  const run = createRunJob({ ...options, handlerOf: (kind) => handlers.get(kind) });
  const onTrouble = (error: unknown): void => events.storeDown({ store: 'jobs', error });
  let upkeep: Promise<void> = Promise.resolve();

  async function work(leased: LeasedJob): Promise<void> {
    const lease = keepLease({ leased, leaseMs, clock, sleep });
    running.set(leased.job.id, lease);
    if (closing.signal.aborted) lease.giveUp('stopping');
    try {
      await run(leased, lease);
    } finally {
      if (running.get(leased.job.id) === lease) running.delete(leased.job.id);
    }
  }

  return {
    handle: (kind, handler) => {
      if (handlers.has(kind)) throw new Error(`Jobs of the kind "${kind}" have a handler already.`);
      handlers.set(kind, handler);
    },

    submit: async (wanted) => {
      const job = newJobOf(wanted, clock.nowMs());
      if (Buffer.byteLength(JSON.stringify(job.input)) > MAX_INPUT_BYTES) {
        const problem = `the input of a job is larger than ${MAX_INPUT_BYTES} bytes`;
        throw new SekishoError('invalid_request', { values: { problem } });
      }
      if ((await queue.open(job.tenantId)) >= options.maxOpen) throw tooMany(options.maxOpen);
      await queue.add(job);
      pools.get(job.queue)?.wake();
      const nothing = { ...NO_PROGRESS, total: job.total ?? 0 };
      const times = { createdMs: clock.nowMs(), startedMs: null, finishedMs: null, notBeforeMs: clock.nowMs() };
      return { ...job, state: 'waiting', attempts: 0, progress: nothing, result: null, failure: null, ...times };
    },

    get: (tenantId, id) => queue.get(tenantId, id),
    list: (tenantId, page) => queue.list(tenantId, page),

    cancel: async (tenantId, id) => {
      if (!(await queue.cancel(tenantId, id))) return false;
      const here = running.get(id);
      if (here !== undefined) here.giveUp('cancelled');
      else {
        const job = await queue.get(tenantId, id);
        if (job?.state === 'cancelled') await handlers.get(job.kind)?.onGivenUp?.(job, { state: 'cancelled' });
      }
      return true;
    },

    replay: async (tenantId, id) => {
      if (!(await queue.replay(tenantId, id))) return false;
      for (const pool of pools.values()) pool.wake();
      return true;
    },

    start: () => {
      for (const name of QUEUES) {
        const workers = options.workers[name];
        pools.set(name, startWorkerPool({ queue, name, workers, leaseMs, sleep, run: work, onTrouble }));
      }
      const tidy = async (): Promise<void> => {
        for (const handler of handlers.values()) await handler.tidy?.();
      };
      const { retentionMs } = options;
      upkeep = startUpkeep({ queue, clock, sleep, events, retentionMs, tidy, signal: closing.signal });
    },

    stop: async (graceMs) => {
      closing.abort();
      const ended = Promise.all([...pools.values()].map((pool) => pool.stop()));
      for (const lease of running.values()) lease.giveUp('stopping');
      const patience = new AbortController();
      const late = sleep(graceMs, patience.signal).catch(() => undefined);
      await Promise.race([ended, late]);
      patience.abort();
      // What has not ended by now loses its lease in time; another worker has it then.
      for (const lease of running.values()) lease.close();
      await upkeep;
      await queue.close();
    },
  };
}

function newJobOf(work: Work, nowMs: number) {
  const { tenantId, keyId, queue, kind, input } = work;
  return {
    id: work.id ?? newId('job', nowMs),
    tenantId,
    keyId,
    queue,
    kind,
    input,
    priority: work.priority ?? USUAL_PRIORITY,
    maxAttempts: work.maxAttempts ?? USUAL_ATTEMPTS,
    ...(work.total !== undefined && { total: work.total }),
  };
}

function tooMany(maxOpen: number): SekishoError {
  return new SekishoError('rate_limited', {
    values: {
      whose: { en: 'this tenant', ja: 'このテナント' },
      limit: { en: `${maxOpen} jobs that wait or run`, ja: `待機中または実行中のジョブ ${maxOpen} 件` },
      seconds: BUSY_RETRY_MS / 1_000,
    },
    retryAfterMs: BUSY_RETRY_MS,
  });
}
