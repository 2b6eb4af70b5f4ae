import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import type { JobQueue } from '../ports/job-queue.ts';
import type { JobEvents } from './job-events.ts';

export interface UpkeepOptions {
  queue: Pick<JobQueue, 'prune' | 'counts' | 'oldestWaiting'>;
  clock: Clock;
  sleep: Sleep;
  events: JobEvents;
  retentionMs: number;
  /** What handlers clear away. */
  tidy: () => Promise<void>;
  signal: AbortSignal;
}

const COUNT_EVERY_MS = 15_000;
/** Rounds of counting between two of clearing away. */
const ROUNDS = 20;

/** Counts jobs for metrics and removes those that ended long ago, until the signal is aborted. Never rejects. */
export async function startUpkeep(options: UpkeepOptions): Promise<void> {
  const { queue, clock, sleep, events, signal } = options;
  for (let round = 0; !signal.aborted; round = (round + 1) % ROUNDS) {
    try {
      const counts = await queue.counts();
      const oldest = await queue.oldestWaiting();
      events.jobsCounted(
        counts,
        oldest.map(({ queue: name, createdMs }) => ({ queue: name, waitingMs: clock.nowMs() - createdMs })),
      );
      if (round === 0) {
        await options.tidy();
        await queue.prune(clock.nowMs() - options.retentionMs);
      }
    } catch (error) {
      events.storeDown({ store: 'jobs', error });
    }
    await sleep(COUNT_EVERY_MS, signal).catch(() => undefined);
  }
}
