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
