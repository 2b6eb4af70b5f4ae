import type { CounterStore } from '../ports/counter-store.ts';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import type { LimitBook, LimitMeasure, LimitScope } from '../spec/limits.ts';
import { costMicros, type Micros, type Price } from '../spec/money.ts';
import { noUsage } from '../spec/usage.ts';
import { limitHeaders } from './admission/limit-headers.ts';
import { createMeasuresOf } from './admission/measures.ts';
import { createPeriodsOf } from './admission/period.ts';
import { plannedTakes, settlementsOf, type Expected, type PlannedTake } from './admission/planned-take.ts';
import { refusal } from './admission/refusal.ts';
import { createRenewal, type Renewal } from './admission/renewal.ts';
import { createSeededTake, type SpentLedger } from './admission/seeding.ts';
import { createSubjectsOf, targetSubject, type AdmissionCall, type Subject } from './admission/subjects.ts';

/** Taken before the call, corrected once after it. */
export interface Reservation {
  /** The x-ratelimit headers of the scarcest limits; empty where there is none. */
  headers: readonly (readonly [string, string])[];
  /**
   * Gives back what was not used and takes what was used beyond the estimate. A call that failed used nothing.
   * Never rejects; the second call and every later one change nothing.
   */
  settle(used: Expected): Promise<void>;
}

/** What a call may use at most, as far as its request tells. */
export interface Estimate {
  inputTokens: number;
  maxOutputTokens: number;
  /** Of a rerank call. */
  searchUnits?: number;
}

/** As much of a target as money needs. */
export interface PricedTarget {
  name: string;
  price?: Price;
}

/** A limit that refused a call, or would have in shadow mode. */
export interface LimitRefusal {
  scope: LimitScope;
  name: string;
  counts: LimitMeasure;
  window?: string;
  limit: number;
}

export interface Admission {
  /**
   * Reserves every limit and budget that the call counts towards in one atomic step, all or nothing: those of
   * its key, end user, team, tenant and route. Without any it costs nothing, and the estimate is not made.
   * @throws SekishoError rate_limited, budget_exhausted (naming the limit and whose it is, with the time after
   * which to try again), unpriced_model, storage_unavailable.
   */
  admit(
    call: AdmissionCall,
    plan: { targets: readonly PricedTarget[] },
    estimateOf: () => Estimate,
  ): Promise<Reservation>;
  /**
   * Reserves the limits of one target for one attempt; undefined, at no cost, where it has none.
   * @throws SekishoError rate_limited, budget_exhausted, which here are reasons to try another target;
   * unpriced_model, storage_unavailable.
   */
  admitTarget(target: PricedTarget, estimateOf: () => Estimate): Promise<Reservation> | undefined;
  /** Ends the renewal of open reservations; their leases end by themselves. */
  close(): void;
}

export interface AdmissionOptions {
  counters: CounterStore;
  ledger: SpentLedger;
  limitsOf: LimitBook['limitsOf'];
  /** How long what an abandoned call held stays held. Default 15 s; open calls renew theirs. */
  leaseMs?: number;
  /**
   * What becomes of calls under limits without money while the counters do not answer: this process counts them
   * alone, in `fallback`, or they are refused. A budget that is in force always refuses then.
   */
  whenDown?: 'count-alone' | 'refuse';
  fallback?: CounterStore;
  onShadow?: (refused: LimitRefusal, call: AdmissionCall | undefined) => void;
  /** Told of each call that a limit refused. */
  onRefused?: (refused: LimitRefusal, call: AdmissionCall | undefined) => void;
  /** Told of each call that met counters which did not answer. */
  onStoreDown?: (error: SekishoError) => void;
}

const DEFAULT_LEASE_MS = 15_000;
const FREE: Reservation = { headers: [], settle: () => Promise.resolve() };

/** A store to take from, with what belongs to it. */
interface Book {
  counters: CounterStore;
  take: ReturnType<typeof createSeededTake>;
  renewal: Renewal;
}

/** Limits and budgets over shared counters; what was spent before the counters knew is read from the ledger. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { leaseMs = DEFAULT_LEASE_MS } = options;
  const measuresOf = createMeasuresOf();
  const subjectsOf = createSubjectsOf(options.limitsOf, measuresOf);
  const periodsOf = createPeriodsOf();
  const bookOf = (counters: CounterStore): Book => ({
    counters,
    take: createSeededTake(counters, options.ledger),
    renewal: createRenewal(counters, leaseMs),
  });
  const shared = bookOf(options.counters);
  const alone = options.fallback && options.whenDown !== 'refuse' ? bookOf(options.fallback) : undefined;
  const free = Promise.resolve(FREE);
  const idPrefix = `res_${crypto.randomUUID()}_`;
  let ids = 0;

  async function reserve(planned: PlannedTake[], call: AdmissionCall | undefined): Promise<Reservation> {
    if (planned.length === 0) return FREE;
    try {
      return await takeFrom(shared, planned, call);
    } catch (thrown) {
      const error = toSekishoError(thrown);
      if (error.code !== 'storage_unavailable') throw error;
      options.onStoreDown?.(error);
      // Money cannot be counted alone: every replica would spend the whole budget.
      const enforced = planned.filter(({ take }) => take.mode === 'enforce');
      if (enforced.some(({ period }) => period !== undefined)) throw error;
      if (enforced.length === 0) return FREE;
      if (alone === undefined) throw error;
      return await takeFrom(
        alone,
        planned.filter(({ period }) => period === undefined),
        call,
      );
    }
  }

  async function takeFrom(book: Book, planned: PlannedTake[], call: AdmissionCall | undefined): Promise<Reservation> {
    const id = `${idPrefix}${(ids++).toString(36)}`;
    const answer = await book.take({ id, leaseMs, takes: planned.map(({ take }) => take) }, planned);
    const headers = limitHeaders(planned, answer);
    if (answer.outcome === 'refused') {
      const refused = planned[answer.index];
      if (refused === undefined)
        throw new SekishoError('internal', { cause: new Error('A limit refused that is none.') });
      options.onRefused?.(refusedOf(refused), call);
      throw refusal(refused, { retryAfterMs: answer.retryAfterMs, nowMs: book.counters.nowMs(), headers });
    }
    for (const index of answer.shadowRefused) observed(planned[index], call);
    const held = planned.some(({ take }) => take.windowMs === undefined);
    if (held) book.renewal.opened(id);
    let settled: Promise<void> | undefined;
    return {
      headers,
      settle: (used) => {
        settled ??= settle(book, id, planned, used);
        return settled;
      },
    };
  }

  async function settle(book: Book, id: string, planned: PlannedTake[], used: Expected): Promise<void> {
    book.renewal.closed(id);
    const settlements = settlementsOf(planned, used);
    if (settlements.length === 0) return;
    // The answer is made and in the ledger; what the counters miss of it, its lease gives back.
    await book.counters
      .settle(id, settlements)
      .catch((thrown: unknown) => options.onStoreDown?.(toSekishoError(thrown)));
  }

  function observed(each: PlannedTake | undefined, call: AdmissionCall | undefined): void {
    if (each !== undefined) options.onShadow?.(refusedOf(each), call);
  }

  /** The takes of subjects, with money by the dearest of the targets. */
  function plan(subjects: Subject[], targets: readonly PricedTarget[], estimate: Estimate): PlannedTake[] {
    let cost: Micros | undefined = 0;
    if (subjects.some(({ measures }) => measures.hasCost)) {
      const unpriced = targets.find(({ price }) => price === undefined);
      const strict = subjects.some(({ measures }) => measures.hasCost && measures.mode === 'enforce');
      if (unpriced !== undefined && strict) {
        throw new SekishoError('unpriced_model', { values: { model: unpriced.name } });
      }
      cost = Math.max(0, ...targets.map(({ price }) => (price === undefined ? 0 : dearest(estimate, price))));
    }
    const tokens = estimate.inputTokens + estimate.maxOutputTokens;
    return plannedTakes(subjects, { tokens, costMicros: cost }, periodsOf(options.counters.nowMs()));
  }

  return {
    admit: (call, { targets }, estimateOf) => {
      const subjects = subjectsOf(call);
      return subjects === undefined ? free : reserveFor(subjects, targets, estimateOf, call);
    },
    admitTarget: (target, estimateOf) => {
      const measures = measuresOf(options.limitsOf('target', target.name));
      if (measures === undefined) return undefined;
      return reserveFor([targetSubject(target.name, measures)], [target], estimateOf);
    },
    close: () => {
      shared.renewal.close();
      alone?.renewal.close();
    },
  };

  async function reserveFor(
    subjects: Subject[],
    targets: readonly PricedTarget[],
    estimateOf: () => Estimate,
    call?: AdmissionCall,
  ): Promise<Reservation> {
    // A limit on requests or on calls at once needs no estimate, which costs a look at the whole prompt.
    const needs = subjects.some(({ measures }) => measures.hasCost || measures.hasTokens);
    const estimate = needs ? estimateOf() : { inputTokens: 0, maxOutputTokens: 0 };
    return await reserve(plan(subjects, targets, estimate), call);
  }
}

/** The most that an estimate can cost: its input may all be written to the upstream's prompt cache. */
function dearest({ inputTokens, maxOutputTokens, searchUnits }: Estimate, price: Price): Micros {
  const usage = {
    ...noUsage(),
    inputTokens,
    outputTokens: maxOutputTokens,
    ...(searchUnits !== undefined && { searchUnits }),
  };
  return Math.max(costMicros(usage, price), costMicros({ ...usage, cacheWriteTokens: inputTokens }, price));
}

function refusedOf({ subject: { scope, name }, measure: { counts, window, limit } }: PlannedTake): LimitRefusal {
  return { scope, name, counts, limit, ...(window !== undefined && { window }) };
}
