import type { CounterAnswer, CounterReservation, CounterStore } from '../../ports/counter-store.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Ledger } from '../ledger.ts';
import type { PlannedTake } from './planned-take.ts';

/** As much of the ledger as budgets need. */
export type SpentLedger = Pick<Ledger, 'spentMicros'>;

/** A store that forgets a level each time that it is seeded does not keep anything. */
const MAX_TRIES = 3;

/**
 * Takes, and where the store does not know what a budget stands at, tells it from the ledger and takes again.
 * Calls that find the same budget unknown at once read the ledger once.
 */
export function createSeededTake(counters: CounterStore, ledger: SpentLedger) {
  const seeding = new Map<string, Promise<void>>();

  function seed({ take, subject, period }: PlannedTake): Promise<void> {
    let reading = seeding.get(take.key);
    if (reading === undefined) {
      reading = ledger
        .spentMicros(subject.spent, period?.startMs ?? 0)
        .then((spent) => counters.seed(take.key, spent))
        .finally(() => seeding.delete(take.key));
      seeding.set(take.key, reading);
    }
    return reading;
  }

  /** @throws SekishoError storage_unavailable where the counters or the ledger do not answer. */
  return async (
    reservation: CounterReservation,
    planned: readonly PlannedTake[],
  ): Promise<Exclude<CounterAnswer, { outcome: 'unseeded' }>> => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const answer = await counters.take(reservation);
      if (answer.outcome !== 'unseeded') return answer;
      await Promise.all(planned.filter((_, index) => answer.indexes.includes(index)).map(seed));
    }
    throw new SekishoError('storage_unavailable', {
      cause: new Error('The counters forget what they are seeded with.'),
    });
  };
}
