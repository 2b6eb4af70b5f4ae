import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import type { LeasedJob, LeaseState } from '../ports/job-queue.ts';
import type { JobProgress } from '../spec/job.ts';

/** Why a job is given up before its work is done. */
export type GiveUpReason = 'cancelled' | 'lost' | 'stopping';

export interface JobLease {
  /** Aborted where the job is to be given up. */
  signal: AbortSignal;
  /** Why it is; undefined while it is not. */
  reason(): GiveUpReason | undefined;
  giveUp(reason: GiveUpReason): void;
  report(progress: JobProgress): void;
  /** The last progress that was reported. */
  progress(): JobProgress | undefined;
  /** Writes the end of the lease, again and again while the store is away and the lease may still be held. */
  end(write: () => Promise<boolean>): Promise<boolean>;
  /** Stops keeping the lease. */
  close(): void;
}

export interface JobLeaseOptions {
  leased: LeasedJob;
  leaseMs: number;
  clock: Clock;
  sleep: Sleep;
}

const REPORT_EVERY_MS = 500;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Keeps a lease while its job runs: renewed at a third of its time, given up as soon as it cannot be held any more. */
export function keepLease({ leased, leaseMs, clock, sleep }: JobLeaseOptions): JobLease {
  const work = new AbortController();
  const keeping = new AbortController();
  let reason: GiveUpReason | undefined;
  let heldUntilMs = clock.monotonicMs() + leaseMs;
  let latest: JobProgress | undefined;
  let reporting = false;

  const pause = (ms: number): Promise<boolean> =>
    sleep(ms, keeping.signal).then(
      () => true,
      () => false,
    );

  function giveUp(why: GiveUpReason): void {
    // Who has lost the job may neither end it nor give it back.
    if (reason === undefined || why === 'lost') reason = why;
    work.abort(new DOMException(`The job was given up: ${why}.`, 'AbortError'));
  }

  function heard(state: LeaseState): void {
    if (keeping.signal.aborted || state === 'held') return;
    giveUp(state);
  }

  async function keep(): Promise<void> {
    while (await pause(leaseMs / 3)) {
      const askedMs = clock.monotonicMs();
      try {
        const state = await leased.renew();
        if (state !== 'lost') heldUntilMs = askedMs + leaseMs;
        heard(state);
      } catch {
        // The store is away; what it last promised holds until its time.
        if (clock.monotonicMs() >= heldUntilMs) heard('lost');
      }
    }
  }

  async function write(): Promise<void> {
    for (let written: JobProgress | undefined; latest !== undefined && latest !== written;) {
      written = latest;
      await leased.report(written).then(heard, () => undefined);
      if (!(await pause(REPORT_EVERY_MS))) break;
    }
    reporting = false;
  }

  void keep();
  return {
    signal: work.signal,
    reason: () => reason,
    giveUp,
    progress: () => latest,
    report: (progress) => {
      latest = progress;
      if (reporting || keeping.signal.aborted) return;
      reporting = true;
      void write();
    },
    end: async (write) => {
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
        try {
          return await write();
        } catch {
          if (clock.monotonicMs() >= heldUntilMs || !(await pause(pauseMs))) return false;
        }
      }
    },
    close: () => keeping.abort(),
  };
}
