/** One limit to be taken from. Windows slide: `amount` per `windowMs`, refilled continuously (GCRA). */
export interface CounterTake {
  key: string;
  amount: number;
  limit: number;
  windowMs: number;
}

/** `index` is the first limit that refused; `remaining` and `resetMs` describe each limit in order. */
export interface CounterAnswer {
  allowed: boolean;
  refusedIndex?: number;
  retryAfterMs: number;
  remaining: number[];
}

/** Shared counters for limits and budgets. */
export interface CounterStore {
  /** Takes all or nothing, in one atomic step. */
  take(takes: readonly CounterTake[], nowMs: number): Promise<CounterAnswer>;
  /** Corrects a take after the fact: a positive amount takes more (even beyond the limit), a negative one gives back. */
  correct(takes: readonly CounterTake[], nowMs: number): Promise<void>;
}
