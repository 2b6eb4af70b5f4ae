import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import type { FallbackReason } from '../spec/routing.ts';
import { createChooseTarget, type TokenEstimate } from './routing/choose-target.ts';
import { fallbackReason } from './routing/fallback-reason.ts';
import { hedgedAttempt, type Begun, type Failed, type TargetReservation } from './routing/hedged-attempt.ts';
import type { Plan, ResolvedTarget } from './routing/plan.ts';
import { createShareBudget } from './routing/share-budget.ts';
import type { TargetHealth, Visit } from './routing/target-health.ts';
import type { TargetQueues } from './routing/target-queues.ts';

/** One failed call to one target, for the log. */
export interface FailedAttempt {
  target: string;
  error: SekishoError;
}

export interface AttemptRun<T, O = undefined> {
  plan: Plan;
  /** Aborted when whoever asked has left. */
  signal: AbortSignal;
  /** Who asked, handed to the reports. */
  origin: O;
  /** Tokens of the call, for the cheapest target. */
  estimate?: () => TokenEstimate;
  /** Asks one target. Resolves when the answer has begun; the signal is aborted when it is of no use any more. */
  call: (target: ResolvedTarget, signal: AbortSignal) => Promise<T>;
  /** Takes what the limits of one target ask for. @throws SekishoError rate_limited, budget_exhausted: the next target's turn. */
  admitTarget?: (target: ResolvedTarget) => Promise<TargetReservation | undefined> | undefined;
  /** Lets go of an answer that came when another one had already won. */
  discard?: (value: T) => void;
}

export interface AttemptOutcome<T> extends Omit<Begun<T>, 'kind'> {
  /** Calls that went to upstreams, hedged ones included. */
  attempts: number;
}

export interface Attempts<O> {
  /**
   * Calls the targets of a plan until one answers.
   * @throws SekishoError of the last attempt; no_healthy_target where none may be called; caller_left as soon as the
   * signal is aborted.
   */
  run<T>(run: AttemptRun<T, O>): Promise<AttemptOutcome<T>>;
}

/** All attempts of a call, whatever their kind, end after this many. */
const MAX_ATTEMPTS = 10;
/** Retries of the process in ten seconds that are allowed however few calls there are. */
const RETRY_FLOOR = 50;
const HEDGE_FLOOR = 1;
const MIN_RETRY_AFTER_MS = 1_000;
const MAX_TARGETS_TOLD = 5;

/** What one run has done so far. */
interface Course {
  attempts: number;
  /** Keys of targets whose turn is over. */
  done: string[];
  /** Names of targets that were called, once for each call. */
  called: string[];
  /** A prompt did not fit into a window of this size. */
  tooSmall: number;
}

/**
 * Attempts over the plans of calls. One layer of retries, none after the first byte:
 * - The same target again (or another place of its fleet, at once): after a failure that may pass, after its Retry-After
 *   where given, else after an exponential delay with full jitter (AWS Architecture Blog, "Exponential Backoff And
 *   Jitter"), and only while the retries of the process are within their share of its calls.
 * - The next target: when the first one's tries are used up or of no use (a timeout, a refused credential, an unknown
 *   model, a prompt that does not fit, a refused content, a Retry-After beyond the longest delay), for the failures that
 *   the plan names. Targets that are ill are passed over; those that asked to be left alone come last.
 * - A request that the upstream rejects as malformed ends the call: it would be rejected everywhere.
 * - With a hedge, a second target is asked when the first one is slow to begin; who begins first is taken.
 */
export function createAttempts<O = undefined>(deps: {
  health: TargetHealth;
  queues: TargetQueues;
  clock: Clock;
  sleep: Sleep;
  /** Uniform in [0, 1); spreads retries and chooses targets. */
  random: () => number;
  /** Retries as a share of calls, at most. */
  retryShare: () => number;
  onFailed: (origin: O, failed: FailedAttempt) => void;
  /** A second target is asked while the first has not begun. */
  onHedged?: (origin: O, target: string) => void;
}): Attempts<O> {
  const { health, queues, clock } = deps;
  const choose = createChooseTarget({ ...health, isFree: queues.isFree, random: deps.random });
  const retries = createShareBudget({ clock, floor: RETRY_FLOOR });
  const hedges = createShareBudget({ clock, floor: HEDGE_FLOOR });

  /** The target whose turn it is: a well one of the first group that has one, else one that asked to be left alone. */
  function nextTarget<T>(
    run: AttemptRun<T, O>,
    course: Course,
    mayRepeat: (target: ResolvedTarget) => boolean = (target) => mayRetry(run.plan, target, course),
  ): ResolvedTarget | undefined {
    for (const standing of ['well', 'evicted'] as const) {
      const eligible = (target: ResolvedTarget): boolean =>
        !course.done.includes(target.key) &&
        !((target.contextTokens ?? Infinity) <= course.tooSmall) &&
        health.standing(target) === standing;
      for (const group of run.plan.groups) {
        for (;;) {
          const target = choose(group, eligible, run.estimate);
          if (target === undefined) break;
          if (!course.called.includes(target.name) || mayRepeat(target)) return target;
          course.done.push(target.key);
        }
      }
    }
    return undefined;
  }

  /** Whether a target that was called before may be called again, here or at another place. */
  function mayRetry(plan: Plan, target: ResolvedTarget, course: Course): boolean {
    const calls = course.called.filter((name) => name === target.name).length;
    return calls < plan.retry.attempts && retries.take(deps.retryShare());
  }

  /** One call to one target, with its place, its limits and what its health is told. Never rejects. */
  async function attempt<T>(
    run: AttemptRun<T, O>,
    course: Course,
    target: ResolvedTarget,
    signal: AbortSignal,
  ): Promise<Begun<T> | Failed> {
    let visit: Visit | undefined;
    let reservation: TargetReservation | undefined;
    try {
      const waiting = queues.enter(target, signal);
      if (waiting !== undefined) await waiting;
    } catch (thrown) {
      return { kind: 'failed', error: toSekishoError(thrown) };
    }
    let held = true;
    const release = (error?: SekishoError): void => {
      if (!held) return;
      held = false;
      if (error !== undefined) visit?.failed(error);
      visit?.end();
      queues.leave(target);
    };
    visit = health.begin(target);
    if (visit === undefined) {
      release();
      return { kind: 'failed', error: unhealthy(run.plan) };
    }
    try {
      const admitting = run.admitTarget?.(target);
      if (admitting !== undefined) reservation = await admitting;
    } catch (thrown) {
      release();
      return { kind: 'failed', error: toSekishoError(thrown) };
    }
    course.attempts++;
    course.called.push(target.name);
    const startedMs = clock.monotonicMs();
    try {
      const value = await run.call(target, signal);
      visit.answered(clock.monotonicMs() - startedMs);
      return { kind: 'begun', value, target, release, ...(reservation && { reservation }) };
    } catch (thrown) {
      const error = signal.aborted ? new SekishoError('caller_left', { cause: thrown }) : toSekishoError(thrown);
      if (signal.aborted && !run.signal.aborted) visit.outpaced(clock.monotonicMs() - startedMs);
      release(error);
      // What cannot be given back expires.
      await reservation?.settle({ tokens: 0, costMicros: 0 }).catch(() => undefined);
      if (error.code !== 'caller_left') deps.onFailed(run.origin, { target: target.name, error });
      return { kind: 'failed', error };
    }
  }

  /** An attempt beside which another one may be made: whichever begins first. Never rejects. */
  function hedged<T>(
    run: AttemptRun<T, O>,
    course: Course,
    target: ResolvedTarget,
    hedge: NonNullable<Plan['hedge']>,
  ): Promise<Begun<T> | Failed> {
    hedges.called();
    return hedgedAttempt({
      afterMs: hedge.afterMs,
      signal: run.signal,
      sleep: deps.sleep,
      discard: run.discard,
      first: (signal) => attempt(run, course, target, signal),
      second: () => {
        // A hedge is no retry: it has a share of its own, and another place of the same fleet is as good as any.
        const other = nextTarget(run, { ...course, done: [...course.done, target.key] }, () => true);
        if (other === undefined || !hedges.take(hedge.maxShare)) return undefined;
        course.done.push(other.key);
        deps.onHedged?.(run.origin, other.name);
        return (signal) => attempt(run, course, other, signal);
      },
    });
  }

  /** Milliseconds until the same target may be tried again; undefined where that is of no use or not allowed. */
  function retryDelay(plan: Plan, target: ResolvedTarget, error: SekishoError, course: Course): number | undefined {
    if (error.fault !== 'upstream' || !error.retryable || error.code === 'upstream_timeout') return undefined;
    // Another place of the same fleet is better than the one that has just failed.
    if (error.code === 'no_healthy_target' || target.key !== target.name) return undefined;
    const tries = course.called.filter((name) => name === target.name).length;
    const { baseDelayMs, maxDelayMs } = plan.retry;
    const delayMs =
      error.retryAfterMs ?? deps.random() * Math.min(maxDelayMs, baseDelayMs * 2 ** Math.max(0, tries - 1));
    if (delayMs > maxDelayMs || (health.standing(target) === 'ill' && health.waitMs(target) > delayMs)) {
      return undefined;
    }
    return course.attempts < MAX_ATTEMPTS && mayRetry(plan, target, course) ? delayMs : undefined;
  }

  function unhealthy(plan: Plan): SekishoError {
    const waitMs = Math.max(MIN_RETRY_AFTER_MS, Math.min(...plan.targets.map((target) => health.waitMs(target))));
    const states = plan.targets.slice(0, MAX_TARGETS_TOLD).map(({ name }) => name);
    return new SekishoError('no_healthy_target', {
      values: { route: plan.route, states: states.join(', '), seconds: Math.ceil(waitMs / 1_000) },
      retryAfterMs: waitMs,
    });
  }

  /** A target until its tries are used up or of no use. @throws SekishoError caller_left. */
  async function turnOf<T>(run: AttemptRun<T, O>, course: Course, target: ResolvedTarget): Promise<Begun<T> | Failed> {
    const { plan, signal } = run;
    for (;;) {
      if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
      const outcome =
        plan.hedge !== undefined && course.attempts === 0
          ? await hedged(run, course, target, plan.hedge)
          : await attempt(run, course, target, signal);
      if (outcome.kind === 'begun') return outcome;
      if (signal.aborted) throw new SekishoError('caller_left', { cause: outcome.error });
      const delayMs = retryDelay(plan, target, outcome.error, course);
      if (delayMs === undefined) return outcome;
      await deps.sleep(delayMs, signal).catch((thrown: unknown) => {
        throw new SekishoError('caller_left', { cause: thrown });
      });
    }
  }

  return {
    run: async (run) => {
      const course: Course = { attempts: 0, done: [], called: [], tooSmall: 0 };
      let last: SekishoError | undefined;
      retries.called();
      for (let target = nextTarget(run, course); target !== undefined; target = nextTarget(run, course)) {
        const outcome = await turnOf(run, course, target);
        if (outcome.kind === 'begun') return { ...outcome, attempts: course.attempts };
        course.done.push(target.key);
        const { error } = outcome;
        if (error.code === 'no_healthy_target') {
          // Why a target failed says more than that another one could not be called.
          last ??= error;
          continue;
        }
        last = error;
        const reason: FallbackReason | undefined = fallbackReason(error.code);
        if (reason === undefined || !run.plan.fallbackOn.has(reason)) throw error;
        if (course.attempts >= MAX_ATTEMPTS) break;
        if (reason === 'context_window') course.tooSmall = Math.max(course.tooSmall, target.contextTokens ?? 0);
      }
      throw last ?? unhealthy(run.plan);
    },
  };
}
