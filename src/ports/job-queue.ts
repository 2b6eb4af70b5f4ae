import type { JsonObject } from '../lib/json.ts';
import type { TenantId } from '../spec/ids.ts';
import type { JobId, JobProgress, JobQueueName, JobRecord, JobState } from '../spec/job.ts';

export type NewJob = Pick<
  JobRecord,
  'id' | 'tenantId' | 'queue' | 'kind' | 'input' | 'keyId' | 'priority' | 'maxAttempts'
> & {
  /** The size of its work, where that is known before it begins. */
  total?: number;
};

/** How a lease stands: held; held, and the job is to be given up; or lost, so that another may have the job. */
export type LeaseState = 'held' | 'cancelled' | 'lost';

/** How one try ended without its work being done. */
export interface FailedTry {
  failure: NonNullable<JobRecord['failure']>;
  next: { retryAtMs: number } | 'give up';
  progress?: JobProgress;
}

/**
 * A job that one worker owns until the lease ends. The verbs that end the lease tell whether it was still held;
 * where it was not, they have changed nothing.
 */
export interface LeasedJob {
  job: JobRecord;
  /** Keeps the lease for another while. */
  renew(): Promise<LeaseState>;
  /** Notes how far the job is; bounded by `boundProgress`. */
  report(progress: JobProgress): Promise<LeaseState>;
  done(result: JsonObject, progress?: JobProgress): Promise<boolean>;
  /** Ends this try: the job waits until the time given, or is failed for good. */
  fail(end: FailedTry): Promise<boolean>;
  /** Gives the job back as if it had not been taken, for another worker: this process is stopping. */
  release(): Promise<boolean>;
  /** Confirms that a job which was to be given up has ended. */
  cancelled(progress?: JobProgress): Promise<boolean>;
}

export interface JobPage {
  state?: JobState;
  queue?: JobQueueName;
  /** Only the jobs of this key. */
  keyId?: string;
  /** Only those that are older than this one. */
  before?: JobId;
  limit: number;
}

/** Jobs of one queue in one state. */
export interface JobCount {
  queue: JobQueueName;
  state: JobState;
  jobs: number;
}

/**
 * Work that outlives the process. What `add` has accepted is there after any crash until it is done, failed or
 * cancelled; a worker that dies loses its lease, and the job is taken again, as a part of the same try. A job that
 * has lost `MAX_LAPSES` leases is failed: it may be what ends the workers.
 *
 * @throws SekishoError storage_unavailable from every verb; where the store did not answer in time, what was asked
 * for may still have happened.
 */
export interface JobQueue {
  /** Adding a job that is there already changes nothing. */
  add(job: NewJob): Promise<void>;
  /** Takes the job of highest priority, oldest first, that may begin; undefined where none may. */
  take(queue: JobQueueName, leaseMs: number): Promise<LeasedJob | undefined>;
  get(tenantId: TenantId, id: JobId): Promise<JobRecord | undefined>;
  /** Newest first. */
  list(tenantId: TenantId, page: JobPage): Promise<JobRecord[]>;
  /** How many jobs of a tenant have not ended. */
  open(tenantId: TenantId): Promise<number>;
  /** Cancels what waits, and asks the worker of what is active to stop. False where it has ended already. */
  cancel(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Puts a failed job back in line with all its tries. False where it is not failed. */
  replay(tenantId: TenantId, id: JobId): Promise<boolean>;
  /** Removes ended jobs that ended before the time given. @returns how many. */
  prune(endedBeforeMs: number): Promise<number>;
  /** How many jobs stand in each state, for metrics; what is not named is none. */
  counts(): Promise<JobCount[]>;
  /** When the job that waits longest was made, by queue. */
  oldestWaiting(): Promise<{ queue: JobQueueName; createdMs: number }[]>;
  close(): Promise<void>;
}

/** Leases that a job may lose before it is failed. */
export const MAX_LAPSES = 20;
