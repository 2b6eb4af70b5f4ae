import type { Sleep } from '../../lib/sleep.ts';
import { SekishoError } from '../../spec/errors.ts';

/** What becomes of a caller that joined a call in flight: it has the answer, leads itself, or goes alone. */
export type Joined<T> = { kind: 'landed'; value: T } | { kind: 'lead'; flight: Flight<T> } | { kind: 'alone' };

/** A call in flight that others with the same key wait for. Exactly one of its verbs ends a lead; later ones do nothing. */
export interface Flight<T> {
  /** Everyone who waits gets the value. */
  land(value: T): void;
  /** The lead did not get there: one of those who wait leads; after the second failure everyone goes alone. */
  pass(): void;
  /** There is nothing to share: everyone goes alone. */
  scatter(): void;
  /** True once what it carries was invalidated: nobody joins it any more, and nothing of it may be kept. */
  readonly stale: boolean;
}

export interface Flights<T> {
  /** Takes off. Where a flight of this key can be joined already, nobody joins this one. */
  open(key: string, tags: readonly string[]): Flight<T>;
  /**
   * Waits for the flight of this key; undefined where there is none, or too many wait already.
   * Rejects with caller_left as soon as the signal is aborted.
   */
  join(key: string, signal: AbortSignal): Promise<Joined<T>> | undefined;
  /** Marks flights as stale, those as well that nobody can join. */
  invalidate(matches: (key: string, tags: readonly string[]) => boolean): void;
}

interface OpenFlight<T> {
  key: string;
  tags: readonly string[];
  waiters: Set<(joined: Joined<T>) => void>;
  failures: number;
  stale: boolean;
  /** Ends the wait of all; running while someone waits. */
  deadline?: AbortController;
}

const MAX_FAILURES = 2;

/** Identical calls joined into one. Nobody waits longer than `maxWaitMs` for another, and at most `maxWaiters` in all. */
export function createFlights<T>(options: { sleep: Sleep; maxWaitMs: number; maxWaiters: number }): Flights<T> {
  const { sleep, maxWaitMs, maxWaiters } = options;
  const open = new Set<OpenFlight<T>>();
  const joinable = new Map<string, OpenFlight<T>>();
  let waiting = 0;

  function end(flight: OpenFlight<T>, joined: Joined<T>): void {
    open.delete(flight);
    if (joinable.get(flight.key) === flight) joinable.delete(flight.key);
    for (const wake of flight.waiters) wake(joined);
  }

  function pass(flight: OpenFlight<T>): void {
    const [next] = flight.waiters;
    if (next === undefined || ++flight.failures >= MAX_FAILURES) end(flight, { kind: 'alone' });
    else next({ kind: 'lead', flight: leadOf(flight) });
  }

  function leadOf(flight: OpenFlight<T>): Flight<T> {
    let ended = false;
    const once = (work: () => void): void => {
      if (ended) return;
      ended = true;
      work();
    };
    return {
      land: (value) => once(() => end(flight, { kind: 'landed', value })),
      pass: () => once(() => pass(flight)),
      scatter: () => once(() => end(flight, { kind: 'alone' })),
      get stale() {
        return flight.stale;
      },
    };
  }

  function limitWait(flight: OpenFlight<T>): void {
    if (flight.deadline !== undefined) return;
    const deadline = new AbortController();
    flight.deadline = deadline;
    sleep(maxWaitMs, deadline.signal).then(
      () => {
        for (const wake of flight.waiters) wake({ kind: 'alone' });
      },
      () => undefined,
    );
  }

  function wait(flight: OpenFlight<T>, signal: AbortSignal): Promise<Joined<T>> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        waiting--;
        flight.waiters.delete(wake);
        signal.removeEventListener('abort', leave);
        if (flight.waiters.size > 0) return;
        flight.deadline?.abort();
        delete flight.deadline;
      };
      const wake = (joined: Joined<T>): void => {
        stop();
        resolve(joined);
      };
      const leave = (): void => {
        stop();
        reject(new SekishoError('caller_left', { cause: signal.reason }));
      };
      waiting++;
      flight.waiters.add(wake);
      signal.addEventListener('abort', leave, { once: true });
      limitWait(flight);
    });
  }

  return {
    open: (key, tags) => {
      const flight: OpenFlight<T> = { key, tags, waiters: new Set(), failures: 0, stale: false };
      open.add(flight);
      if (!joinable.has(key)) joinable.set(key, flight);
      return leadOf(flight);
    },
    join: (key, signal) => {
      const flight = joinable.get(key);
      if (flight === undefined || waiting >= maxWaiters) return undefined;
      if (signal.aborted) return Promise.reject(new SekishoError('caller_left', { cause: signal.reason }));
      return wait(flight, signal);
    },
    invalidate: (matches) => {
      for (const flight of open) {
        if (!matches(flight.key, flight.tags)) continue;
        flight.stale = true;
        if (joinable.get(flight.key) === flight) joinable.delete(flight.key);
      }
    },
  };
}
