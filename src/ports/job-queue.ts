import type { JsonObject } from '../lib/json.ts';
import type { TenantId } from '../spec/ids.ts';
import type { JobId, JobProgress, JobQueueName, JobRecord, JobState } from '../spec/job.ts';

export type NewJob = Pick<
  JobRecord,
  'id' | 'tenantId' | 'queue' | 'kind' | 'input' | 'keyId' | 'priority' | 'maxAttempts'
>;

/** A job that one worker owns until the lease ends. Every verb tells whether the lease still held. */
export interface LeasedJob {
  job: JobRecord;
  /** Keeps the lease for another while. @returns 'cancelled' where the job is to be given up, 'lost' where another has it. */
  renew(): Promise<'held' | 'cancelled' | 'lost'>;
  report(progress: JobProgress): Promise<void>;
  done(result: JsonObject): Promise<void>;
  /** Ends this try: the job waits until the time given, or is failed for good. */
  fail(failure: NonNullable<JobRecord['failure']>, next: { retryAtMs: number } | 'give up'): Promise<void>;
  /** Gives the job back untouched, for another worker: this process is stopping. */
  release(): Promise<void>;
  /** Confirms that a job which was to be given up has ended. */
  cancelled(): Promise<void>;
}

/**
 * Work that outlives the process. What `add` has accepted is there after any crash until it is done, failed or
 * cancelled; a worker that dies loses its lease, and the job is taken again.
 */
export interface JobQueue {
  /** @throws SekishoError storage_unavailable; then nothing was accepted. */
  add(job: NewJob): Promise<void>;
  /** Takes the job of highest priority, oldest first, that may begin; undefined where none may. */
  take(queue: JobQueueName, leaseMs: number): Promise<LeasedJob | undefined>;
  get(tenantId: TenantId, id: JobId): Promise<JobRecord | undefined>;
  /** Newest first. */
  list(
    tenantId: TenantId,
    page: { state?: JobState; queue?: JobQueueName; before?: JobId; limit: number },
  ): Promise<JobRecord[]>;
  /** Cancels what waits, and asks the worker of what is active to stop. False where it has ended already. */
  cancel(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Puts a failed job back in line with all its tries. False where it is not failed. */
  replay(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Removes ended jobs that ended before the time given. @returns how many. */
  prune(endedBeforeMs: number): Promise<number>;
  /** How many jobs stand in each state, for metrics. */
  counts(): Promise<{ queue: JobQueueName; state: JobState; jobs: number }[]>;
  close(): Promise<void>;
}
