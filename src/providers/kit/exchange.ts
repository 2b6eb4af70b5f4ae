import { SekishoError } from '../../spec/errors.ts';
import { ConnectTimeout } from './reach.ts';
import type { Ticker } from './ticker.ts';
import { createWatchdog, type Phase, type Watchdog } from './watchdog.ts';

/** One call under way: its abort signal, its timer, and the reason why it broke. */
export interface Exchange {
  signal: AbortSignal;
  watchdog: Watchdog;
  /** Rejects when the call is broken off. */
  aborted(): Promise<never>;
  /** The answer is complete: the caller's signal and the timer count no longer. */
  settle(): void;
  /** Settles and breaks off whatever is still under way. */
  close(): void;
  /** Why the call broke: the caller left, time ran out, or else `otherwise`. */
  explain(thrown: unknown, otherwise: 'upstream_unreachable' | 'upstream_broken'): SekishoError;
}

/** Opens the books of a call: the caller's signal breaks it off, and so does the timer. */
export function createExchange(
  call: { target: string; signal: AbortSignal },
  timeouts: { firstByteMs: number; betweenDataMs: number },
  ticker: Ticker,
): Exchange {
  const controller = new AbortController();
  const leave = (): void => controller.abort(call.signal.reason);
  call.signal.addEventListener('abort', leave, { once: true });
  const watchdog = createWatchdog({
    ticker,
    firstByteMs: timeouts.firstByteMs,
    betweenDataMs: timeouts.betweenDataMs,
    onExpired: () => controller.abort(),
  });
  const values = { target: call.target };
  const timeout = (phase: Phase, cause: unknown): SekishoError =>
    new SekishoError('upstream_timeout', { values: { ...values, phase }, cause });
  const settle = (): void => {
    watchdog.stop();
    call.signal.removeEventListener('abort', leave);
  };
  return {
    signal: controller.signal,
    watchdog,
    aborted: () =>
      new Promise((_, reject) => {
        controller.signal.addEventListener('abort', () => reject(new Error('The call was broken off.')), {
          once: true,
        });
      }),
    settle,
    close: () => {
      settle();
      controller.abort();
    },
    explain: (thrown, otherwise) => {
      if (call.signal.aborted) return new SekishoError('caller_left', { cause: thrown });
      if (thrown instanceof SekishoError) return thrown;
      if (watchdog.expired !== undefined) return timeout(watchdog.expired, thrown);
      if (thrown instanceof ConnectTimeout) return timeout('connect', thrown);
      return new SekishoError(otherwise, { values, cause: thrown });
    },
  };
}
