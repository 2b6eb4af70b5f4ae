/**
 * One limit to be taken from. With `windowMs` it is a rate: the bucket of `limit` units refills evenly over
 * the window. Without, it is a level (calls in flight, money of a month): what is taken is held until it is
 * settled, or until the reservation's lease ends because nobody settled it.
 */
export interface CounterTake {
  key: string;
  amount: number;
  limit: number;
  windowMs?: number;
  /** `shadow`: would-be refusals are reported and the take goes through. */
  mode: 'enforce' | 'shadow';
  /**
   * The level has a history outside the store (money in the ledger). Where the store does not know the level,
   * nothing is taken and the answer names it; the caller seeds it and takes again.
   */
  needsSeed?: boolean;
}

/** Taken together or not at all. */
export interface CounterReservation {
  /** Chosen by the caller, unique. */
  id: string;
  takes: readonly CounterTake[];
  /** How long levels stay held unless renewed. */
  leaseMs: number;
}

export type CounterAnswer =
  | {
      outcome: 'taken';
      /** Per take, in order: units left after it. */
      remaining: number[];
      /** Per take, in order: milliseconds until it is whole again; 0 for a level. */
      resetMs: number[];
      /** Takes in shadow mode that would have refused. */
      shadowRefused: number[];
    }
  | {
      outcome: 'refused';
      /** The first take that refused. */
      index: number;
      /** Time after which the same take would pass; 0 for a level, which does not refill by itself. */
      retryAfterMs: number;
      remaining: number[];
      resetMs: number[];
    }
  | { outcome: 'unseeded'; indexes: number[] };

/** One correction at the end of a call: what a take came to in fact. */
export interface CounterSettlement {
  key: string;
  /** What was reserved. */
  reserved: number;
  /** What was used. For a rate the difference is given back or taken more, for a level the hold is replaced by it. */
  used: number;
  limit: number;
  windowMs?: number;
  /** Whether what was used stays (money) or goes with the call (calls in flight). */
  keeps: boolean;
}

/** Shared counters for limits and budgets: of one process, or of all replicas together. */
export interface CounterStore {
  /**
   * Takes all or nothing, in one atomic step, by the store's own time.
   * @throws SekishoError storage_unavailable, within a bounded time, where the store does not answer.
   */
  take(reservation: CounterReservation): Promise<CounterAnswer>;
  /** Settles a reservation; repeating it, or settling one whose lease has ended, counts what was used once. */
  settle(id: string, settlements: readonly CounterSettlement[]): Promise<void>;
  /** Keeps the holds of open reservations alive; called for long streams before their lease ends. */
  renew(ids: readonly string[], leaseMs: number): Promise<void>;
  /** States what a level stood at before the store knew of it; the first statement counts. */
  seed(key: string, amount: number): Promise<void>;
  /** The store's time in milliseconds since 1970: the same for every replica, never jumping back with a caller's clock. */
  nowMs(): number;
  close(): Promise<void>;
}
