export type Phase = 'connect' | 'first-byte' | 'between-data';

/** How often a call that nobody reads is looked at, at most. */
const PAUSED_LOOK_MS = 100;

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

/**
 * One timer per call, re-armed only when it fires: a stream of a thousand events sets a time stamp a
 * thousand times and a timer a handful of times.
 */
export function createWatchdog(options: {
  firstByteMs: number;
  betweenDataMs: number;
  onExpired: (phase: Phase) => void;
}): Watchdog {
  let phase: Phase = 'first-byte';
  let lastMs = performance.now();
  let pausedMs: number | undefined;
  let expired: Phase | undefined;
  let timer = setTimeout(check, options.firstByteMs);

  function check(): void {
    const allowedMs = phase === 'first-byte' ? options.firstByteMs : options.betweenDataMs;
    const leftMs = lastMs + allowedMs - (pausedMs ?? performance.now());
    if (leftMs > 1 || pausedMs !== undefined) {
      timer = setTimeout(check, pausedMs === undefined ? leftMs : Math.max(leftMs, PAUSED_LOOK_MS));
      return;
    }
    expired = phase;
    options.onExpired(phase);
  }

  return {
    touch: () => {
      lastMs = performance.now();
      if (phase !== 'first-byte') return;
      phase = 'between-data';
      clearTimeout(timer);
      timer = setTimeout(check, options.betweenDataMs);
    },
    pause: () => {
      pausedMs = performance.now();
    },
    resume: () => {
      if (pausedMs !== undefined) lastMs += performance.now() - pausedMs;
      pausedMs = undefined;
    },
    stop: () => clearTimeout(timer),
    get expired() {
      return expired;
    },
  };
}
