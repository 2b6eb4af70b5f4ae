import type { CounterStore } from '../../ports/counter-store.ts';

/** Keeps the holds of open calls alive for as long as the process lives. */
export interface Renewal {
  opened(id: string): void;
  closed(id: string): void;
  close(): void;
}

/**
 * One timer for all open calls, thrice per lease, running only while there are any. A call that ends within a
 * third of its lease is never renewed. What fails is tried again at the next turn.
 */
export function createRenewal(counters: CounterStore, leaseMs: number): Renewal {
  const fresh = new Set<string>();
  const open = new Set<string>();
  let timer: ReturnType<typeof setInterval> | undefined;

  function turn(): void {
    if (open.size > 0) counters.renew([...open], leaseMs).catch(() => undefined);
    for (const id of fresh) open.add(id);
    fresh.clear();
    if (open.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    opened: (id) => {
      fresh.add(id);
      if (timer !== undefined) return;
      timer = setInterval(turn, leaseMs / 3);
      timer.unref();
    },
    closed: (id) => {
      if (!fresh.delete(id)) open.delete(id);
    },
    close: () => clearInterval(timer),
  };
}
