import type { Clock } from '../../src/lib/clock.ts';
import type { Sleep } from '../../src/lib/sleep.ts';

/** Time that passes only when a test says so. */
export interface ManualTime {
  clock: Clock;
  sleep: Sleep;
  /** Milliseconds of every sleep that was begun, in order. */
  slept: number[];
  /** Lets time pass, waking sleepers in the order of their time; what they do at once is done when this resolves. */
  pass(ms: number): Promise<void>;
  /** Lets everything that waits for no time go on. */
  settle(): Promise<void>;
}

const START_MS = 1_000_000;

/** A clock that stands still, and sleeps that it wakes. */
export function createManualTime(): ManualTime {
  let nowMs = START_MS;
  const sleepers = new Set<{ untilMs: number; wake: () => void }>();
  const slept: number[] = [];
  const settle = async (): Promise<void> => {
    // A chain of promises longer than this is no test of ours.
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  return {
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    slept,
    settle,
    sleep: (ms, signal) => {
      slept.push(ms);
      return new Promise((resolve, reject) => {
        const sleeper = { untilMs: nowMs + ms, wake: resolve };
        const leave = (): void => {
          sleepers.delete(sleeper);
          reject(new DOMException('The wait was aborted.', 'AbortError'));
        };
        if (signal.aborted) {
          leave();
          return;
        }
        sleepers.add(sleeper);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    pass: async (ms) => {
      await settle();
      const endMs = nowMs + ms;
      for (;;) {
        const due = [...sleepers]
          .filter(({ untilMs }) => untilMs <= endMs)
          .sort((left, right) => left.untilMs - right.untilMs)[0];
        if (due === undefined) break;
        nowMs = due.untilMs;
        sleepers.delete(due);
        due.wake();
        await settle();
      }
      nowMs = endMs;
      await settle();
    },
  };
}
