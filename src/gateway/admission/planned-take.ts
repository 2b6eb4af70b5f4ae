import type { CounterSettlement, CounterTake } from '../../ports/counter-store.ts';
import type { Micros } from '../../spec/money.ts';
import type { Measure } from './measures.ts';
import type { Period, Periods } from './period.ts';
import type { Subject } from './subjects.ts';

/** What a call is expected to use, at most. */
export interface Expected {
  tokens: number;
  costMicros: Micros;
}

/** One limit to be taken from, and whose it is. */
export interface PlannedTake {
  subject: Subject;
  measure: Measure;
  take: CounterTake;
  /** Of a budget. */
  period?: Period;
}

/** The takes of all limits of the subjects. A call that costs nothing takes from no budget. */
export function plannedTakes(subjects: readonly Subject[], expected: Expected, periods: Periods): PlannedTake[] {
  const planned: PlannedTake[] = [];
  for (const subject of subjects) {
    for (const measure of subject.measures.all) {
      const { counts, window, limit, windowMs } = measure;
      const period = counts !== 'cost' ? undefined : window === 'day' ? periods.day : periods.month;
      if (period !== undefined && expected.costMicros === 0) continue;
      const take: CounterTake = {
        key: `${subject.tag}${subject.scope}:${counts}:${period?.name ?? window ?? ''}:${subject.id}`,
        amount: amountOf(measure, expected),
        limit,
        mode: subject.measures.mode,
      };
      if (windowMs !== undefined) take.windowMs = windowMs;
      if (period !== undefined) take.needsSeed = true;
      planned.push(period === undefined ? { subject, measure, take } : { subject, measure, take, period });
    }
  }
  return planned;
}

function amountOf({ counts, limit }: Measure, expected: Expected): number {
  if (counts === 'cost') return expected.costMicros;
  // A call larger than the whole limit may pass alone: its true size is settled afterwards.
  return counts === 'tokens' ? Math.min(expected.tokens, limit) : 1;
}

/** What is corrected when the call has ended; a request is a request, however it ended. */
export function settlementsOf(planned: readonly PlannedTake[], used: Expected): CounterSettlement[] {
  const settlements: CounterSettlement[] = [];
  for (const { measure, take } of planned) {
    const { key, amount: reserved, limit, windowMs } = take;
    if (measure.counts === 'requests') continue;
    if (windowMs !== undefined) {
      if (used.tokens !== reserved)
        settlements.push({ key, reserved, used: used.tokens, limit, windowMs, keeps: false });
      continue;
    }
    const keeps = measure.counts === 'cost';
    settlements.push({ key, reserved, used: keeps ? used.costMicros : 0, limit, keeps });
  }
  return settlements;
}
