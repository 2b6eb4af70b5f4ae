import type { Sleep } from '../lib/sleep.ts';
import type { JobQueue, LeasedJob } from '../ports/job-queue.ts';
import type { JobQueueName } from '../spec/job.ts';

export interface WorkerPoolOptions {
  queue: Pick<JobQueue, 'take'>;
  name: JobQueueName;
  /** Jobs at once. */
  workers: number;
  leaseMs: number;
  sleep: Sleep;
  /** Does one job; never rejects. */
  run: (leased: LeasedJob) => Promise<void>;
  onTrouble: (error: unknown) => void;
}

export interface WorkerPool {
  /** Something may be there to take. */
  wake(): void;
  /** Takes nothing more; resolves when the last job has ended. */
  stop(): Promise<void>;
}

/** How often a queue is asked for what other processes put into it, or for what may begin now. */
const POLL_MS = 1_000;

/** The workers of one queue: each takes a job as soon as it is free and one may begin. */
export function startWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const { name, workers, leaseMs, sleep } = options;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let poked = false;
  let rouse = (): void => undefined;

  function wake(): void {
    poked = true;
    rouse();
  }

  /** Waits until it is woken, but no longer than a while. */
  async function idle(): Promise<void> {
    if (!poked) {
      const waiting = new AbortController();
      rouse = () => waiting.abort();
      await sleep(POLL_MS, AbortSignal.any([waiting.signal, stopping.signal])).catch(() => undefined);
      rouse = () => undefined;
    }
    poked = false;
  }

  async function serve(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (running.size >= workers) {
        await Promise.race(running);
        continue;
      }
      const leased = await options.queue.take(name, leaseMs).catch((error: unknown) => {
        options.onTrouble(error);
        // What woke the pool is no reason to ask a store at once that is away.
        poked = false;
        return undefined;
      });
      if (leased === undefined) {
        await idle();
        continue;
      }
      const job = options.run(leased).finally(() => running.delete(job));
      running.add(job);
    }
  }

  const serving = workers > 0 ? serve() : Promise.resolve();
  return {
    wake,
    stop: async () => {
      stopping.abort();
      await serving;
      await Promise.all(running);
    },
  };
}
