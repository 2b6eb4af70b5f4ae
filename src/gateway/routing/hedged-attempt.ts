import type { Sleep } from '../../lib/sleep.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Micros } from '../../spec/money.ts';
import type { ResolvedTarget } from './plan.ts';

/** What a target's own limits have given for one attempt. */
export interface TargetReservation {
  settle(used: { tokens: number; costMicros: Micros }): Promise<void>;
}

/** An attempt whose answer has begun. */
export interface Begun<T> {
  kind: 'begun';
  value: T;
  target: ResolvedTarget;
  /** Of the target that answered, to be settled by the caller. */
  reservation?: TargetReservation;
  /**
   * Gives the target's place free. To be called at the end of the answer, with the error that ended it, if one did;
   * only the first time counts.
   */
  release(error?: SekishoError): void;
}

export interface Failed {
  kind: 'failed';
  error: SekishoError;
}

/** One attempt; never rejects. */
export type MakeAttempt<T> = (signal: AbortSignal) => Promise<Begun<T> | Failed>;

/**
 * An attempt beside which another one is made while it has not begun after `afterMs`: whichever begins first is taken,
 * the other one is aborted, and discarded should it begin all the same (Dean and Barroso, "The Tail at Scale", 2013).
 * Where one fails the other is waited for. Never rejects.
 */
export async function hedgedAttempt<T>(options: {
  first: MakeAttempt<T>;
  /** Asked when the time is over; undefined where no other target may be asked. */
  second: () => MakeAttempt<T> | undefined;
  afterMs: number;
  /** Of the caller; aborts both. */
  signal: AbortSignal;
  sleep: Sleep;
  discard?: ((value: T) => void) | undefined;
}): Promise<Begun<T> | Failed> {
  const first = begin(options.first, options.signal);
  const begun = new AbortController();
  const slow = options.sleep(options.afterMs, begun.signal).catch(() => undefined);
  const early = await Promise.race([first.outcome, slow]);
  begun.abort();
  if (early !== undefined) return early;
  const other = options.signal.aborted ? undefined : options.second();
  if (other === undefined) return first.outcome;
  const second = begin(other, options.signal);
  const sooner = await Promise.race([
    first.outcome.then((outcome) => ({ outcome, rival: second })),
    second.outcome.then((outcome) => ({ outcome, rival: first })),
  ]);
  if (sooner.outcome.kind === 'failed') return sooner.rival.outcome;
  sooner.rival.lose();
  void sooner.rival.outcome.then((late) => letGo(late, options.discard));
  return sooner.outcome;
}

/** Begins an attempt with a signal of its own, which the caller's aborts until the answer has ended. */
function begin<T>(attempt: MakeAttempt<T>, signal: AbortSignal) {
  const controller = new AbortController();
  const leave = (): void => controller.abort(signal.reason);
  const unlink = (): void => signal.removeEventListener('abort', leave);
  signal.addEventListener('abort', leave, { once: true });
  const outcome = attempt(controller.signal).then((ended): Begun<T> | Failed => {
    if (ended.kind === 'begun') {
      const release = (error?: SekishoError): void => {
        unlink();
        ended.release(error);
      };
      return { ...ended, release };
    }
    unlink();
    return ended;
  });
  return { outcome, lose: () => controller.abort() };
}

/** Gives back what an answer holds that came too late. */
async function letGo<T>(late: Begun<T> | Failed, discard: ((value: T) => void) | undefined): Promise<void> {
  if (late.kind === 'failed') return;
  late.release(new SekishoError('caller_left'));
  discard?.(late.value);
  // What cannot be given back expires.
  await late.reservation?.settle({ tokens: 0, costMicros: 0 }).catch(() => undefined);
}
