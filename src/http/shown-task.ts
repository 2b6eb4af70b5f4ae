import type { JobRecord } from '../spec/job.ts';
import type { Task, TaskStatus } from './contract/jobs.ts';

/** A job as callers see it. */
export function shownTask(job: JobRecord, nowMs: number): Task {
  const { total, done, failed, failures } = job.progress;
  const left = Math.max(0, total - done - failed);
  const elapsedMs = job.startedMs === null ? 0 : (job.finishedMs ?? nowMs) - job.startedMs;
  const rate = elapsedMs > 0 && done + failed > 0 ? (done + failed) / (elapsedMs / 1_000) : null;
  const isOpen = job.state === 'waiting' || job.state === 'active';
  return {
    task_id: job.id,
    kind: job.kind,
    queue: job.queue,
    state: job.state,
    priority: job.priority,
    attempts: job.attempts,
    max_attempts: job.maxAttempts,
    progress: {
      total,
      done,
      failed,
      cancelled: job.state === 'cancelled' ? left : 0,
      rate: rate === null ? null : rounded(rate),
      eta_seconds: rate === null || !isOpen ? null : rounded(left / rate),
      failures: [...failures],
    },
    failure: job.failure,
    created_at: iso(job.createdMs),
    started_at: job.startedMs === null ? null : iso(job.startedMs),
    finished_at: job.finishedMs === null ? null : iso(job.finishedMs),
    retry_at: job.state === 'waiting' && job.attempts > 0 ? iso(job.notBeforeMs) : null,
  };
}

/** The same with what it made. */
export function taskStatus(job: JobRecord, nowMs: number): TaskStatus {
  return { ...shownTask(job, nowMs), result: job.result };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
