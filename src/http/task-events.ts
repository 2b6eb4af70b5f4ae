import type { Clock } from '../lib/clock.ts';
import { formatSse } from '../lib/format-sse.ts';
import type { Sleep } from '../lib/sleep.ts';
import { hasEnded, type JobRecord } from '../spec/job.ts';
import { shownTask, taskStatus } from './shown-task.ts';

export interface TaskEventsOptions {
  first: JobRecord;
  /** The job as it is now; undefined where it is not there any more. */
  look: () => Promise<JobRecord | undefined>;
  /** Least time between two events. */
  intervalMs: number;
  clock: Clock;
  sleep: Sleep;
  /** Aborted when the reader has left. */
  signal: AbortSignal;
}

const HEARTBEAT_MS = 15_000;
/** A store that is away for longer ends the stream; whoever reads it comes again. */
const PATIENCE_MS = 30_000;
const HEARTBEAT = ': heartbeat\n\n';

/**
 * The course of a job as server-sent events: `progress` at once and whenever something has changed, `end` with the
 * result when it has ended. Each event is the whole state, so that who was cut off only has to come again.
 */
export async function* taskEvents(options: TaskEventsOptions): AsyncGenerator<Uint8Array> {
  const { clock, signal } = options;
  const utf8 = new TextEncoder();
  let job: JobRecord = options.first;
  let told = '';
  let toldMs = clock.monotonicMs();
  let seenMs = toldMs;
  for (;;) {
    if (hasEnded(job.state)) {
      yield utf8.encode(formatSse({ event: 'end', data: JSON.stringify(taskStatus(job, clock.nowMs())) }));
      return;
    }
    const nowMs = clock.monotonicMs();
    const state = stateOf(job);
    if (state !== told) {
      told = state;
      toldMs = nowMs;
      yield utf8.encode(formatSse({ event: 'progress', data: JSON.stringify(shownTask(job, clock.nowMs())) }));
    } else if (nowMs - toldMs >= HEARTBEAT_MS) {
      toldMs = nowMs;
      yield utf8.encode(HEARTBEAT);
    }
    const left = await options.sleep(options.intervalMs, signal).then(
      () => false,
      () => true,
    );
    if (left) return;
    const next = await options.look().catch(() => 'away' as const);
    if (next === undefined) return;
    if (next === 'away') {
      if (clock.monotonicMs() - seenMs > PATIENCE_MS) return;
      continue;
    }
    seenMs = clock.monotonicMs();
    job = next;
  }
}

/** What makes an event: everything but rates, which change by themselves. */
function stateOf({ state, attempts, progress, failure }: JobRecord): string {
  return JSON.stringify([state, attempts, progress.total, progress.done, progress.failed, failure]);
}
