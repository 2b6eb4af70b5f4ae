import type { Ticker } from './ticker.ts';

export type Phase = 'connect' | 'first-byte' | 'between-data';

/** The timer of one call: first until the first data, then between data. */
export interface Watchdog {
  /** Data has come. */
  touch(): void;
  /** Nobody asks for more: until `resume`, time does not count against the upstream. */
  pause(): void;
  resume(): void;
  stop(): void;
  /** The phase in which time ran out, once it has. */
  readonly expired: Phase | undefined;
}

/** Watches one call by the ticks of a timer that it shares with others: a stream of a thousand events sets no timer. */
export function createWatchdog(options: {
  ticker: Ticker;
  firstByteMs: number;
  betweenDataMs: number;
  onExpired: (phase: Phase) => void;
}): Watchdog {
  const { ticker } = options;
  let phase: Phase = 'first-byte';
  let lastMs = performance.now();
  let pausedMs: number | undefined;
  let expired: Phase | undefined;

  function check(): void {
    const allowedMs = phase === 'first-byte' ? options.firstByteMs : options.betweenDataMs;
    if (pausedMs !== undefined || performance.now() - lastMs < allowedMs) return;
    expired = phase;
    ticker.remove(check);
    options.onExpired(phase);
  }

  ticker.add(check);
  return {
    touch: () => {
      lastMs = performance.now();
      phase = 'between-data';
    },
    pause: () => {
      pausedMs = performance.now();
    },
    resume: () => {
      if (pausedMs !== undefined) lastMs += performance.now() - pausedMs;
      pausedMs = undefined;
    },
    stop: () => ticker.remove(check),
    get expired() {
      return expired;
    },
  };
}
