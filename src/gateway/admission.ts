import type { Clock } from '../lib/clock.ts';
import type { CounterStore, CounterTake } from '../ports/counter-store.ts';
import { SekishoError } from '../spec/errors.ts';
import { costMicros, type Micros, type Price } from '../spec/money.ts';
import type { Principal } from '../spec/principal.ts';
import { noUsage } from '../spec/usage.ts';
import type { Ledger } from './ledger.ts';
import type { Plan } from './route-book.ts';

/** Taken before the call, corrected once after it. */
export interface Reservation {
  /** What is left of each limit, for the x-ratelimit headers; absent where the key has no such limit. */
  remaining: { requests?: number; tokens?: number };
  /** Gives back what was not used and takes what was used beyond the estimate. Call once. */
  settle(used: { tokens: number; costMicros: Micros }): Promise<void>;
}

export interface Estimate {
  inputTokens: number;
  maxOutputTokens: number;
}

export interface Admission {
  /**
   * Reserves every limit and the budget of the key in one atomic step, all or nothing.
   * @throws SekishoError rate_limited (with the time after which to try again), budget_exhausted, unpriced_model.
   */
  admit(principal: Principal, plan: Plan, estimateOf: () => Estimate): Promise<Reservation>;
}

const MINUTE_MS = 60_000;
const FREE: Reservation = { remaining: {}, settle: () => Promise.resolve() };

/** Limits and budgets of keys over shared counters; the money already spent is read from the ledger once per month. */
export function createAdmission(options: { counters: CounterStore; ledger: Ledger; clock: Clock }): Admission {
  const { counters, ledger, clock } = options;
  const monthOf = createMonthOf();
  const seeded = new Map<string, Promise<void>>();

  /** Budgets live in the counters; what the ledger knows of the month goes in before the first take. */
  function seedBudget(principal: Principal, month: string): Promise<void> {
    const key = `budget:${principal.keyId}`;
    const known = seeded.get(`${key}:${month}`);
    if (known !== undefined) return known;
    const seeding = ledger
      .spentMicros(principal.keyId, Date.parse(`${month}-01T00:00:00Z`))
      .then((spent) => counters.correct([{ key: `${key}:${month}`, amount: spent, limit: 1 }], clock.nowMs()));
    seeded.set(`${key}:${month}`, seeding);
    seeding.catch(() => seeded.delete(`${key}:${month}`));
    return seeding;
  }

  return {
    admit: async (principal, plan, estimateOf) => {
      const { requestsPerMinute, tokensPerMinute, concurrency, budgetMicros } = principal.limits;
      if (
        requestsPerMinute === undefined &&
        tokensPerMinute === undefined &&
        concurrency === undefined &&
        budgetMicros === undefined
      ) {
        return FREE;
      }
      const estimate = estimateOf();
      const tokens = estimate.inputTokens + estimate.maxOutputTokens;
      const takes: (CounterTake & { name: 'requests' | 'tokens' | 'concurrency' | 'budget' })[] = [];
      const { keyId } = principal;
      if (requestsPerMinute !== undefined) {
        takes.push({ name: 'requests', key: `rpm:${keyId}`, amount: 1, limit: requestsPerMinute, windowMs: MINUTE_MS });
      }
      if (tokensPerMinute !== undefined) {
        // A call larger than the whole limit may pass alone: its true size is settled afterwards.
        const amount = Math.min(tokens, tokensPerMinute);
        takes.push({ name: 'tokens', key: `tpm:${keyId}`, amount, limit: tokensPerMinute, windowMs: MINUTE_MS });
      }
      if (concurrency !== undefined) {
        takes.push({ name: 'concurrency', key: `open:${keyId}`, amount: 1, limit: concurrency });
      }
      if (budgetMicros !== undefined) {
        const month = monthOf(clock.nowMs());
        await seedBudget(principal, month);
        const amount = dearest(plan, estimate);
        takes.push({ name: 'budget', key: `budget:${keyId}:${month}`, amount, limit: budgetMicros });
      }

      const answer = await counters.take(takes, clock.nowMs());
      if (!answer.allowed)
        throw refusal(takes[answer.refusedIndex ?? 0]?.name ?? 'requests', principal, answer.retryAfterMs);

      const remaining: Reservation['remaining'] = {};
      takes.forEach((take, index) => {
        const left = answer.remaining[index];
        if (left !== undefined && (take.name === 'requests' || take.name === 'tokens')) remaining[take.name] = left;
      });
      return {
        remaining,
        settle: (used) => {
          const after = { requests: 1, tokens: used.tokens, concurrency: 0, budget: used.costMicros };
          const corrections = takes
            .map((take) => ({ ...take, amount: after[take.name] - take.amount }))
            .filter((take) => take.amount !== 0);
          return corrections.length === 0 ? Promise.resolve() : counters.correct(corrections, clock.nowMs());
        },
      };
    },
  };
}

/** The calendar month in UTC, as 2026-11; made anew only when the day changes. */
function createMonthOf(): (nowMs: number) => string {
  let day = -1;
  let month = '';
  return (nowMs) => {
    const today = Math.floor(nowMs / 86_400_000);
    if (today !== day) {
      day = today;
      month = new Date(nowMs).toISOString().slice(0, 7);
    }
    return month;
  };
}

/** The most that the plan can cost: the estimate at its dearest target. */
function dearest(plan: Plan, estimate: Estimate): Micros {
  const usage = { ...noUsage(), inputTokens: estimate.inputTokens, outputTokens: estimate.maxOutputTokens };
  return Math.max(...plan.targets.map((target) => costMicros(usage, knownPrice(target))));
}

function knownPrice(target: { name: string; price?: Price }): Price {
  if (target.price === undefined) throw new SekishoError('unpriced_model', { values: { model: target.name } });
  return target.price;
}

function refusal(name: 'requests' | 'tokens' | 'concurrency' | 'budget', principal: Principal, retryAfterMs: number) {
  if (name === 'budget') return new SekishoError('budget_exhausted');
  const { requestsPerMinute, tokensPerMinute, concurrency } = principal.limits;
  const limit = {
    requests: `${requestsPerMinute} requests per minute`,
    tokens: `${tokensPerMinute} tokens per minute`,
    concurrency: `${concurrency} calls at once`,
  }[name];
  const waitMs = Math.max(1_000, retryAfterMs);
  return new SekishoError('rate_limited', {
    values: { limit, seconds: Math.ceil(waitMs / 1_000) },
    retryAfterMs: waitMs,
  });
}
