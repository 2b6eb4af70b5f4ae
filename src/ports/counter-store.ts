/**
 * One limit to be taken from. With `windowMs` it is a rate: the bucket of `limit` units refills evenly over
 * the window. Without, it is a level (calls in flight, money of a month): what is taken stays taken until
 * it is corrected.
 */
export interface CounterTake {
  key: string;
  amount: number;
  limit: number;
  windowMs?: number;
}

/** `refusedIndex` is the first limit that refused; `remaining` is given per limit, in order, in its units. */
export interface CounterAnswer {
  allowed: boolean;
  refusedIndex?: number;
  /** Time after which the same take would pass; 0 for a level, which does not refill by itself. */
  retryAfterMs: number;
  remaining: number[];
}

/** Shared counters for limits and budgets. */
export interface CounterStore {
  /** Takes all or nothing, in one atomic step. */
  take(takes: readonly CounterTake[], nowMs: number): Promise<CounterAnswer>;
  /** Corrects a take after the fact: a positive amount takes more, beyond the limit too; a negative one gives back. */
  correct(takes: readonly CounterTake[], nowMs: number): Promise<void>;
}
