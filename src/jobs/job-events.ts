import type { JobCount } from '../ports/job-queue.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { JobQueueName, JobRecord } from '../spec/job.ts';

/** What is told of background work. */
export interface JobEvents {
  jobEnded(
    job: JobRecord,
    end: { state: 'done' | 'failed' | 'cancelled'; durationMs: number; error?: SekishoError },
  ): void;
  jobRetried(job: JobRecord, retry: { error: SekishoError; delayMs: number }): void;
  jobsCounted(counts: readonly JobCount[], oldest: readonly { queue: JobQueueName; waitingMs: number }[]): void;
  storeDown(failure: { store: string; error: unknown }): void;
}
