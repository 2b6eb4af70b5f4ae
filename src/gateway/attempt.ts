import type { Sleep } from '../lib/sleep.ts';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import type { Plan, ResolvedTarget } from './route-book.ts';

/** One failed call to one target, for the log. */
export interface FailedAttempt {
  target: string;
  error: SekishoError;
}

export interface AttemptOutcome<T> {
  value: T;
  target: ResolvedTarget;
  attempts: number;
}

/** All attempts of a call, whatever their number, end after this many. */
const MAX_ATTEMPTS = 10;

/**
 * Calls the targets of a plan in order until one answers. What is retried on the same target: a failure
 * that may pass (429, 5xx, unreachable), after its Retry-After where given, else after an exponential delay
 * with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). What moves on at once: a
 * timeout, a refused credential, an unknown model, something that the target cannot carry, a prompt that
 * does not fit, a refused content, a Retry-After beyond the longest delay. A request that the upstream
 * rejects as malformed ends the call: it would be rejected everywhere.
 *
 * Nothing here runs after the first byte: `call` resolves when the answer has begun.
 *
 * @throws SekishoError of the last attempt; caller_left as soon as the signal is aborted.
 */
export async function attemptTargets<T>(options: {
  plan: Plan;
  signal: AbortSignal;
  sleep: Sleep;
  random: () => number;
  call: (target: ResolvedTarget) => Promise<T>;
  onFailure: (failed: FailedAttempt) => void;
}): Promise<AttemptOutcome<T>> {
  const { plan, signal } = options;
  let attempts = 0;
  let last: SekishoError | undefined;
  for (const target of plan.targets) {
    for (let tries = 1; tries <= plan.retry.attempts && attempts < MAX_ATTEMPTS; tries++) {
      if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
      attempts++;
      try {
        return { value: await options.call(target), target, attempts };
      } catch (thrown) {
        if (signal.aborted) throw new SekishoError('caller_left', { cause: thrown });
        last = toSekishoError(thrown);
        options.onFailure({ target: target.name, error: last });
        if (!mayFallBack(last)) throw last;
        const delayMs = retryDelay(last, tries, plan, options.random);
        if (delayMs === undefined || tries === plan.retry.attempts) break;
        await options.sleep(delayMs, signal);
      }
    }
  }
  throw last ?? new SekishoError('internal', { cause: new Error('a plan without targets') });
}

function mayFallBack(error: SekishoError): boolean {
  if (error.fault === 'upstream') return true;
  return (
    error.code === 'context_too_long' || error.code === 'content_refused' || error.code === 'unsupported_parameter'
  );
}

/** Milliseconds until the same target may be tried again; undefined where that is of no use. */
function retryDelay(error: SekishoError, tries: number, plan: Plan, random: () => number): number | undefined {
  if (error.fault !== 'upstream' || !error.retryable || error.code === 'upstream_timeout') return undefined;
  const { baseDelayMs, maxDelayMs } = plan.retry;
  if (error.retryAfterMs !== undefined) return error.retryAfterMs <= maxDelayMs ? error.retryAfterMs : undefined;
  return random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (tries - 1));
}
