import type { BreakerPolicy } from '../../src/gateway/catalogue.ts';
import { FALLBACK_REASONS } from '../../src/spec/routing.ts';
import type { Plan, PlannedGroup, ResolvedTarget } from '../../src/gateway/routing/plan.ts';
import type { Provider } from '../../src/ports/provider.ts';
import type { Principal } from '../../src/spec/principal.ts';

const endpoint: Provider = { name: 'up', wire: 'openai' };

/** A target of the provider `up`; with `origin`, one place of its fleet. */
export function targetOf(model: string, more: Partial<ResolvedTarget> & { origin?: string } = {}): ResolvedTarget {
  const { origin, ...rest } = more;
  const at = origin === undefined ? '' : `@${origin}`;
  return {
    name: model,
    provider: 'up',
    model,
    weight: 1,
    endpoint,
    key: `${model}${at}`,
    place: `up${at}`,
    policy: {},
    ...rest,
  };
}

/** A plan of these groups, which falls back on everything. */
export function planOf(groups: readonly PlannedGroup[], more: Partial<Plan> = {}): Plan {
  return {
    route: 'r',
    groups,
    retry: { attempts: 2, baseDelayMs: 100, maxDelayMs: 1_000 },
    fallbackOn: new Set(FALLBACK_REASONS),
    uncarried: 'refuse',
    targets: groups.flatMap(({ targets }) => targets),
    ...more,
  };
}

/** One ordered group of targets of these names. */
export function orderedPlan(names: readonly string[], more: Partial<Plan> = {}): Plan {
  return planOf([{ strategy: 'ordered', targets: names.map((name) => targetOf(name)) }], more);
}

export const BREAKER: BreakerPolicy = { failureShare: 0.5, minimumCalls: 4, windowMs: 10_000, openMs: 5_000 };

/** A breaker that never opens. */
export const PATIENT: BreakerPolicy = { ...BREAKER, minimumCalls: Infinity };

export const CALLER: Principal = {
  tenantId: 'ten_default',
  keyId: 'key_one',
  name: 'one',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};

/** Uniform numbers in [0, 1) that are the same in every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
