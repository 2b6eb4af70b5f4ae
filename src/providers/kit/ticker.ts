/** Calls back whoever is registered at every tick; runs only while somebody is. */
export interface Ticker {
  add(check: () => void): void;
  remove(check: () => void): void;
}

/**
 * One timer for any number of calls: a timer per call costs more than all that is done with it, because nearly every
 * one is cancelled. What is late is noticed up to `everyMs` later.
 */
export function createTicker(everyMs: number): Ticker {
  const checks = new Set<() => void>();
  let timer: ReturnType<typeof setInterval> | undefined;

  function tick(): void {
    // Kept for one tick after the last call has gone: the next one comes soon.
    if (checks.size === 0) {
      clearInterval(timer);
      timer = undefined;
      return;
    }
    for (const check of checks) check();
  }

  return {
    add: (check) => {
      checks.add(check);
      timer ??= setInterval(tick, everyMs);
    },
    remove: (check) => {
      checks.delete(check);
    },
  };
}
