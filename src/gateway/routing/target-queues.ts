import type { Sleep } from '../../lib/sleep.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { ResolvedTarget } from './plan.ts';

/** Places for calls to targets whose concurrency is limited. */
export interface TargetQueues {
  /** Whether a call would have its place at once. */
  isFree(target: ResolvedTarget): boolean;
  /**
   * Takes a place. Undefined: it is taken, without a wait. Otherwise resolves when it is, first come, first served.
   * Every place that was taken is given back with `leave`.
   * @throws SekishoError target_busy where nobody may wait any more or the wait was too long; caller_left.
   */
  enter(target: ResolvedTarget, signal: AbortSignal): Promise<void> | undefined;
  leave(target: ResolvedTarget): void;
  /** Calls that wait for a target. */
  length(key: string): number;
}

interface Waiter {
  enter: () => void;
  /** The limit as the waiting call knows it; it may have been lowered since the others began. */
  concurrency: number;
}

interface Places {
  taken: number;
  waiting: Waiter[];
}

/** What a refused caller is told to wait where nobody is allowed to queue. */
const RETRY_MS = 1_000;

/** Bounded queues, one for each target that has a limit and a call under way. */
export function createTargetQueues(options: { sleep: Sleep }): TargetQueues {
  const all = new Map<string, Places>();

  function wait(places: Places, target: ResolvedTarget, signal: AbortSignal): Promise<void> {
    const timeoutMs = target.policy.queue?.timeoutMs ?? 0;
    const entered = new AbortController();
    let hasPlace = false;
    const waiter: Waiter = {
      concurrency: target.policy.concurrency ?? Infinity,
      enter: () => {
        hasPlace = true;
        entered.abort();
      },
    };
    places.waiting.push(waiter);
    const stop = AbortSignal.any([signal, entered.signal]);
    const giveUp = (error: SekishoError): never => {
      places.waiting.splice(places.waiting.indexOf(waiter), 1);
      throw error;
    };
    return options.sleep(timeoutMs, stop).then(
      () => (hasPlace ? undefined : giveUp(busy(target))),
      (thrown: unknown) => (hasPlace ? undefined : giveUp(new SekishoError('caller_left', { cause: thrown }))),
    );
  }

  return {
    isFree: ({ key, policy }) => policy.concurrency === undefined || (all.get(key)?.taken ?? 0) < policy.concurrency,
    enter: (target, signal) => {
      const { concurrency, queue } = target.policy;
      if (concurrency === undefined) return undefined;
      let places = all.get(target.key);
      if (places === undefined) all.set(target.key, (places = { taken: 0, waiting: [] }));
      if (places.taken < concurrency) {
        places.taken++;
        return undefined;
      }
      if (places.waiting.length >= (queue?.max ?? 0)) throw busy(target);
      return wait(places, target, signal);
    },
    leave: ({ key, policy }) => {
      const places = all.get(key);
      if (places === undefined || policy.concurrency === undefined) return;
      const [next] = places.waiting;
      // The place goes from hand to hand, so that nobody who comes now overtakes who has waited.
      if (next !== undefined && places.taken <= next.concurrency) {
        places.waiting.shift();
        next.enter();
      } else if (--places.taken <= 0 && next === undefined) {
        all.delete(key);
      }
    },
    length: (key) => all.get(key)?.waiting.length ?? 0,
  };
}

function busy(target: ResolvedTarget): SekishoError {
  const retryAfterMs = Math.max(RETRY_MS, target.policy.queue?.timeoutMs ?? 0);
  return new SekishoError('target_busy', {
    values: {
      target: target.name,
      concurrency: target.policy.concurrency ?? 0,
      seconds: Math.ceil(retryAfterMs / 1_000),
    },
    retryAfterMs,
  });
}
