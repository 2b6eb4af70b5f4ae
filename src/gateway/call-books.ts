import type { LedgerEntry } from '../spec/ledger.ts';
import { toSekishoError, type SekishoError } from '../spec/errors.ts';
import type { Usage } from '../spec/usage.ts';
import type { Admission, Estimate } from './admission.ts';
import type { AttemptOutcome, Attempts } from './attempt.ts';
import type { CallStep, StepSpan } from './call-trace.ts';
import type { CallFacts, CallOrigin, SettledFacts } from './model-call.ts';
import type { Plan, ResolvedTarget } from './route-book.ts';
import { endingError, openSettlement, type SettlementDeps } from './settlement.ts';

export interface CallBooksDeps extends SettlementDeps {
  admission: Admission;
  attempts: Attempts<CallOrigin>;
}

/** How a call went, as far as the road knows it; the books know the rest. */
interface Conclusion {
  usage: Usage;
  /** For answers that no target was asked for: the plan whose first target stands for them. */
  plan?: Plan;
  cache?: 'hit' | 'miss';
  error?: SekishoError;
  firstByteMs?: number;
}

/**
 * The books of one call: what it has taken, whom it has asked, how it is timed, traced and settled. They know the
 * steps of the road and nothing of what a step does.
 */
export interface CallBooks {
  route(resolve: () => Plan): Plan;
  /** @throws SekishoError as Admission.admit. */
  admit(plan: Plan, estimate: () => Estimate): Promise<void>;
  step<T>(name: CallStep, work: () => Promise<T>): Promise<T>;
  /** Calls targets until one answers, and remembers which. @throws SekishoError as Attempts.run. */
  attempt<T>(
    plan: Plan,
    estimate: () => Estimate,
    how: { call: (target: ResolvedTarget, signal: AbortSignal) => Promise<T>; discard?: (value: T) => void },
  ): Promise<AttemptOutcome<T>>;
  /** What tells the upstream of the trace, for the attempt under way. */
  traceHeaders(target: ResolvedTarget): Record<string, string> | undefined;
  /** Waits for an upstream; the time counts as the upstream's. */
  waiting<T>(upstream: Promise<T>): Promise<T>;
  elapsedMs(): number;
  facts(): CallFacts;
  /** Settles the call, once. */
  settle(conclusion: Conclusion): Promise<SettledFacts>;
  /** Settles a call that failed and says why it did, in our words. */
  failed(thrown: unknown): Promise<SekishoError>;
}

/** Opens the books of one call. */
export function openBooks(
  deps: CallBooksDeps,
  call: CallOrigin,
  kind: { operation: LedgerEntry['operation']; streamed: boolean },
): CallBooks {
  const settlement = openSettlement(deps, call, kind);
  const { trace } = settlement;
  /** Spans of attempts under way; several where one is hedged. */
  const spans = trace === undefined ? undefined : new Map<string, StepSpan>();
  let target: ResolvedTarget | undefined;
  let attempts = 0;
  let limits: CallFacts['limits'] = [];
  let release: ((error?: SekishoError) => void) | undefined;
  let fromCache = false;

  function traced<T>(name: CallStep, work: () => T): T {
    const span = trace?.span(name);
    try {
      const value = work();
      span?.end();
      return value;
    } catch (thrown) {
      span?.end(toSekishoError(thrown));
      throw thrown;
    }
  }

  async function step<T>(name: CallStep, work: () => Promise<T>): Promise<T> {
    const span = trace?.span(name);
    try {
      const value = await work();
      span?.end();
      return value;
    } catch (thrown) {
      span?.end(toSekishoError(thrown));
      throw thrown;
    }
  }

  const facts = (): CallFacts => ({
    requestId: call.requestId,
    route: call.route,
    target: target?.name ?? '',
    wire: target?.endpoint.wire ?? 'openai',
    attempts,
    cache: fromCache ? 'hit' : 'miss',
    limits,
    overheadMs: settlement.overheadMs,
    ...(trace && { traceId: trace.traceId }),
  });

  return {
    route: (resolve) => (trace === undefined ? resolve() : traced('route', resolve)),
    step,
    admit: async (plan, estimate) => {
      const admitting = deps.admission.admit(call, plan, estimate);
      const reservation = trace === undefined ? await admitting : await step('admit', () => admitting);
      limits = reservation.headers;
      settlement.hold(reservation);
    },
    attempt: async (plan, estimate, { call: ask, discard }) => {
      const outcome = await deps.attempts.run({
        plan,
        signal: call.signal,
        origin: call,
        estimate,
        admitTarget: (at) => deps.admission.admitTarget(at, estimate),
        call:
          spans === undefined
            ? (at, signal) => {
                target = at;
                attempts++;
                return ask(at, signal);
              }
            : async (at, signal) => {
                target = at;
                attempts++;
                const span = trace?.span('attempt', spanOf(at));
                if (span !== undefined) spans.set(at.key, span);
                try {
                  return await ask(at, signal);
                } catch (thrown) {
                  span?.end(toSekishoError(thrown));
                  throw thrown;
                }
              },
        ...(discard && { discard }),
      });
      target = outcome.target;
      attempts = outcome.attempts;
      release = outcome.release;
      if (outcome.reservation !== undefined) settlement.hold(outcome.reservation);
      return outcome;
    },
    traceHeaders: (at) => spans?.get(at.key)?.headers?.(),
    waiting: settlement.waiting,
    elapsedMs: settlement.elapsedMs,
    facts,
    settle: async ({ usage, plan, cache, error, firstByteMs }) => {
      // An answer from a cache has no target of its own; the first of the plan stands for it.
      target ??= plan?.targets[0];
      if (target === undefined) throw new Error('A call that asked no target has no plan to stand for it.');
      // Without an attempt everything was known before.
      const seen = cache ?? (attempts === 0 ? 'hit' : undefined);
      fromCache = seen === 'hit';
      release?.(error);
      // It ends with the trace itself, once the ledger has the call.
      trace?.span('settle');
      const costMicros = await settlement.settle({
        target,
        attempts,
        usage,
        ...(seen && { cache: seen }),
        ...(error && { error }),
        ...(firstByteMs !== undefined && { firstByteMs }),
      });
      return { ...facts(), costMicros };
    },
    failed: async (thrown) => {
      const error = endingError(thrown, call.signal);
      release?.(error);
      // Without an attempt no upstream has heard of the call, so there is nothing to bill.
      if (target === undefined || attempts === 0) await settlement.abandon(error);
      else await settlement.settle({ target, attempts, error });
      return error;
    },
  };
}

function spanOf(target: ResolvedTarget) {
  return { target: target.name, wire: target.endpoint.wire, model: target.model };
}
