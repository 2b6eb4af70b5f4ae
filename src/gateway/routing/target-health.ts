import type { Clock } from '../../lib/clock.ts';
import type { ErrorCode, SekishoError } from '../../spec/errors.ts';
import type { BreakerPolicy } from '../catalogue.ts';
import type { ResolvedTarget } from './plan.ts';
import { createRollingCounts, type RollingCounts } from './rolling-counts.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/**
 * Whether a target may be called: `well` without reserve; `evicted` while its Retry-After runs, so only where nothing
 * else is left; `ill` not at all.
 */
export type Standing = 'well' | 'evicted' | 'ill';

/** The health of one target, for administrators. */
export interface TargetReport {
  target: string;
  state: BreakerState;
  inFlight: number;
  queueLength: number;
  /** Moving average of the time to the first byte; absent until the first answer. */
  ewmaMs?: number;
  /** Failed calls as a share of all in the breaker's window. */
  failureShare: number;
  /** Wall time until which an open breaker lets nothing through. */
  openUntilMs?: number;
  /** Wall time until which the upstream has asked to be left alone. */
  evictedUntilMs?: number;
  lastError?: ErrorCode;
}

/** One call to one target, from its beginning until the end of its answer. */
export interface Visit {
  /** The answer has begun. */
  answered(firstByteMs: number): void;
  /** Another target has answered first, after this one had had so much time. */
  outpaced(waitedMs: number): void;
  /** The call has failed, or its answer broke off. */
  failed(error: SekishoError): void;
  /** The call is over; only the first time counts. */
  end(): void;
}

export interface TargetHealth {
  standing(target: ResolvedTarget): Standing;
  /** Begins a call; undefined where the target is ill or another call is already the probe. */
  begin(target: ResolvedTarget): Visit | undefined;
  /** Calls under way. */
  inFlight(target: ResolvedTarget): number;
  /** Expected milliseconds until a call that goes there now has an answer; less is better. */
  expectedMs(target: ResolvedTarget): number;
  /** Milliseconds until the target may be called again; 0 where it may be now. */
  waitMs(target: ResolvedTarget): number;
  /** What an active check has found: a place that does not answer is ill with all of its targets. */
  checked(place: string, answers: 'answers' | 'silent'): void;
  /** Every target that is remembered. */
  snapshot(): TargetReport[];
  /** Forgets what is held against a target (its key, or `provider/model` for every place). False: it is not known. */
  reset(target: string): boolean;
}

interface TargetState {
  key: string;
  name: string;
  place: string;
  state: BreakerState;
  inFlight: number;
  /** Monotonic time until which the breaker lets nothing through. */
  openUntilMs: number;
  evictedUntilMs: number;
  /** Whether a probe is under way. */
  probing: boolean;
  counts: RollingCounts;
  latencyMs: number;
  latencyAtMs: number;
  failing: number;
  failingAtMs: number;
  usedAtMs: number;
  lastError?: ErrorCode;
}

/** Targets remembered; a caller may ask for any number of models that do not exist. */
const MAX_TARGETS = 1_024;
/** Time in which an observation loses all but a third of its weight. */
const DECAY_MS = 10_000;
/** Weight of an observation, at least: many may come at the same instant. */
const MIN_WEIGHT = 0.1;
/** What a target is taken to need that has calls under way and has never answered. */
const UNKNOWN_MS = 1_000;
/** However long an upstream asks to be left alone. */
const MAX_EVICTION_MS = 300_000;
/** A target that always fails is taken to be this many times slower than it looks. */
const MAX_SLOWDOWN = 20;
/** What a call to a place that an active check has found silent should wait before it asks again. */
const SILENT_RETRY_MS = 1_000;
/** Refusals that only an upstream in good health gives. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set(['upstream_rejected', 'content_refused']);

/**
 * What is known of the health of targets, from the calls that went there.
 *
 * A failure counts where it is the upstream's fault: 429, 5xx, unreachable, timeout, broken answer, refused credential,
 * unknown model; each of them says that the next call will most likely fare no better. An upstream's refusal of the
 * caller's request is an answer and counts as success. A caller who left, and our own failures, count for nothing.
 *
 * The breaker opens from `failureShare` on, stays open for `openMs` (or the upstream's Retry-After, where longer), then
 * lets one call at a time through until one of them is answered.
 */
export function createTargetHealth(options: {
  policy: () => BreakerPolicy;
  clock: Clock;
  /** Told of every change of a breaker. */
  onChange?: (target: string, state: BreakerState) => void;
  /** Calls that wait for a target. */
  queueLength?: (key: string) => number;
}): TargetHealth {
  const { clock } = options;
  const states = new Map<string, TargetState>();
  const silent = new Set<string>();

  function stateOf(target: ResolvedTarget): TargetState {
    const known = states.get(target.key);
    if (known !== undefined) return known;
    if (states.size >= MAX_TARGETS) forgetOne();
    const fresh: TargetState = {
      key: target.key,
      name: target.name,
      place: target.place,
      state: 'closed',
      inFlight: 0,
      openUntilMs: 0,
      evictedUntilMs: 0,
      probing: false,
      counts: createRollingCounts(options.policy().windowMs),
      latencyMs: 0,
      latencyAtMs: 0,
      failing: 0,
      failingAtMs: 0,
      usedAtMs: clock.monotonicMs(),
    };
    states.set(target.key, fresh);
    return fresh;
  }

  /** Makes room: the target that was used longest ago and is not in use goes. */
  function forgetOne(): void {
    let oldest: TargetState | undefined;
    for (const state of states.values()) {
      if (state.inFlight === 0 && (oldest === undefined || state.usedAtMs < oldest.usedAtMs)) oldest = state;
    }
    if (oldest !== undefined) states.delete(oldest.key);
  }

  function change(state: TargetState, to: BreakerState): void {
    if (state.state === to) return;
    state.state = to;
    options.onChange?.(state.key, to);
  }

  function openBreaker(state: TargetState, nowMs: number): void {
    state.openUntilMs = Math.max(nowMs + options.policy().openMs, state.evictedUntilMs);
    change(state, 'open');
  }

  function close(state: TargetState): void {
    state.counts.clear();
    state.openUntilMs = 0;
    state.evictedUntilMs = 0;
    state.failing = 0;
    change(state, 'closed');
  }

  function countsOf(state: TargetState): RollingCounts {
    const { windowMs } = options.policy();
    if (state.counts.windowMs !== windowMs) state.counts = createRollingCounts(windowMs);
    return state.counts;
  }

  function standingOf(state: TargetState, nowMs: number): Standing {
    if (state.state !== 'closed' && (state.probing || nowMs < state.openUntilMs)) return 'ill';
    return state.state === 'closed' && nowMs < state.evictedUntilMs ? 'evicted' : 'well';
  }

  function judge(state: TargetState, nowMs: number): void {
    const { failureShare, minimumCalls } = options.policy();
    const counts = countsOf(state);
    const calls = counts.calls(nowMs);
    if (calls >= minimumCalls && counts.marked(nowMs) >= failureShare * calls) openBreaker(state, nowMs);
  }

  function visit(state: TargetState, isProbe: boolean): Visit {
    let open = true;
    let begun = false;
    return {
      answered: (firstByteMs) => {
        begun = true;
        const nowMs = clock.monotonicMs();
        observeLatency(state, firstByteMs, nowMs);
        observeFailing(state, 0, nowMs);
        countsOf(state).add(nowMs, 1, 0);
        if (isProbe) close(state);
      },
      outpaced: (waitedMs) => {
        // It would have taken longer than that; how much is not known.
        if (waitedMs > state.latencyMs) observeLatency(state, waitedMs, clock.monotonicMs());
      },
      failed: (error) => {
        const nowMs = clock.monotonicMs();
        const counts = countsOf(state);
        if (error.fault === 'upstream') {
          state.lastError = error.code;
          observeFailing(state, 1, nowMs);
          if (error.retryAfterMs !== undefined) {
            const pauseMs = Math.min(error.retryAfterMs, MAX_EVICTION_MS);
            state.evictedUntilMs = Math.max(state.evictedUntilMs, nowMs + pauseMs);
          }
          // An answer that broke off was counted as a call when it began.
          counts.add(nowMs, begun ? 0 : 1, 1);
          if (isProbe) openBreaker(state, nowMs);
          else if (state.state === 'closed') judge(state, nowMs);
        } else if (!begun && ANSWERS.has(error.code)) {
          counts.add(nowMs, 1, 0);
          if (isProbe) close(state);
        }
      },
      end: () => {
        if (!open) return;
        open = false;
        state.inFlight--;
        if (isProbe) state.probing = false;
      },
    };
  }

  return {
    standing: (target) => {
      if (silent.size > 0 && silent.has(target.place)) return 'ill';
      const state = states.get(target.key);
      return state === undefined ? 'well' : standingOf(state, clock.monotonicMs());
    },
    begin: (target) => {
      const state = stateOf(target);
      const nowMs = clock.monotonicMs();
      if (standingOf(state, nowMs) === 'ill' || (silent.size > 0 && silent.has(target.place))) return undefined;
      const isProbe = state.state !== 'closed';
      if (isProbe) {
        state.probing = true;
        change(state, 'half-open');
      }
      state.inFlight++;
      state.usedAtMs = nowMs;
      return visit(state, isProbe);
    },
    inFlight: (target) => states.get(target.key)?.inFlight ?? 0,
    expectedMs: (target) => {
      const state = states.get(target.key);
      if (state === undefined) return 0;
      const nowMs = clock.monotonicMs();
      const failing = state.failing * Math.exp((state.failingAtMs - nowMs) / DECAY_MS);
      // What was seen long ago counts for less and less, so that a target that looked slow is asked again: by one call,
      // not by all that come before that one is answered.
      const known = state.latencyAtMs === 0 ? UNKNOWN_MS : state.latencyMs;
      const latencyMs = state.inFlight > 0 ? known : known * Math.exp((state.latencyAtMs - nowMs) / DECAY_MS);
      return (latencyMs + 1) * (state.inFlight + 1) * (1 / Math.max(1 / MAX_SLOWDOWN, 1 - failing));
    },
    waitMs: (target) => {
      if (silent.size > 0 && silent.has(target.place)) return SILENT_RETRY_MS;
      const state = states.get(target.key);
      if (state === undefined) return 0;
      const untilMs = state.state === 'closed' ? state.evictedUntilMs : state.openUntilMs;
      return Math.max(0, untilMs - clock.monotonicMs());
    },
    checked: (place, answers) => {
      if (answers === 'silent') silent.add(place);
      else silent.delete(place);
    },
    snapshot: () => {
      const nowMs = clock.monotonicMs();
      const wallMs = clock.nowMs();
      return [...states.values()].map((state): TargetReport => {
        const calls = state.counts.calls(nowMs);
        const isSilent = silent.has(state.place);
        return {
          target: state.key,
          state: isSilent ? 'open' : state.state,
          inFlight: state.inFlight,
          queueLength: options.queueLength?.(state.key) ?? 0,
          ...(state.latencyAtMs > 0 && { ewmaMs: state.latencyMs }),
          failureShare: calls === 0 ? 0 : Math.min(1, state.counts.marked(nowMs) / calls),
          ...(state.openUntilMs > nowMs && { openUntilMs: wallMs + state.openUntilMs - nowMs }),
          ...(state.evictedUntilMs > nowMs && { evictedUntilMs: wallMs + state.evictedUntilMs - nowMs }),
          ...(state.lastError !== undefined && { lastError: state.lastError }),
        };
      });
    },
    reset: (target) => {
      const found = [...states.values()].filter(({ key, name }) => key === target || name === target);
      for (const state of found) {
        silent.delete(state.place);
        delete state.lastError;
        close(state);
      }
      return found.length > 0;
    },
  };
}

function observeLatency(state: TargetState, latencyMs: number, nowMs: number): void {
  state.latencyMs = moved(state.latencyMs, state.latencyAtMs, latencyMs, nowMs);
  state.latencyAtMs = nowMs;
}

function observeFailing(state: TargetState, failed: 0 | 1, nowMs: number): void {
  state.failing = moved(state.failing, state.failingAtMs, failed, nowMs);
  state.failingAtMs = nowMs;
}

/** Exponentially weighted moving average over time: an observation weighs more, the older the average is. */
function moved(average: number, atMs: number, value: number, nowMs: number): number {
  if (atMs === 0) return value;
  const kept = Math.min(1 - MIN_WEIGHT, Math.exp((atMs - nowMs) / DECAY_MS));
  return average * kept + value * (1 - kept);
}
