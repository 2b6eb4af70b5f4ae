import type { JsonObject } from '../lib/json.ts';
import type { SekishoError } from './errors.ts';
import type { TenantId } from './ids.ts';

export type JobId = `job_${string}`;

/** What workers take from; each has its own number of them. */
export type JobQueueName = 'indexing' | 'embedding' | 'query';

/**
 * waiting: not begun, or between two tries; active: a worker holds its lease; done, failed (its tries are used up:
 * a dead letter), cancelled: the end.
 */
export type JobState = 'waiting' | 'active' | 'done' | 'failed' | 'cancelled';

/** How far a job is. accepted work = done + failed + cancelled + what is left. */
export interface JobProgress {
  total: number;
  done: number;
  failed: number;
  /** The first failures with their reasons; at most 100 are kept. */
  failures: readonly { id: string; reason: string }[];
}

export interface JobRecord {
  id: JobId;
  tenantId: TenantId;
  queue: JobQueueName;
  /** Which handler does it. */
  kind: string;
  /** What the handler is given; bounded by what the route that made it takes. */
  input: JsonObject;
  /** Who asked: the handler works with the rights of this key, as they are when it runs. */
  keyId: string;
  /** 0 (last) to 9 (first). */
  priority: number;
  state: JobState;
  /** Tries begun. */
  attempts: number;
  maxAttempts: number;
  progress: JobProgress;
  /** What the handler returned, of a job that is done. */
  result: JsonObject | null;
  /** Why the last try failed. */
  failure: { code: SekishoError['code']; message: string } | null;
  createdMs: number;
  startedMs: number | null;
  finishedMs: number | null;
  /** When the next try may begin, of a job that waits. */
  notBeforeMs: number;
}

/** Failures of a job that are kept with their reasons. */
export const MAX_FAILURES = 100;
const MAX_REASON = 500;
const MAX_ID = 600;

/** A progress as it is kept: the first failures, their texts cut to what a list can show. */
export function boundProgress(progress: JobProgress): JobProgress {
  const failures = progress.failures
    .slice(0, MAX_FAILURES)
    .map(({ id, reason }) => ({ id: id.slice(0, MAX_ID), reason: reason.slice(0, MAX_REASON) }));
  return { total: progress.total, done: progress.done, failed: progress.failed, failures };
}

/** Nothing done of a work whose size is not known yet. */
export const NO_PROGRESS: JobProgress = { total: 0, done: 0, failed: 0, failures: [] };

/** Whether a job in this state ever changes again by itself. */
export function hasEnded(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}
