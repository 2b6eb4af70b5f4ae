import type { RetryConfig, RouteConfig, TargetPolicyConfig } from './route-schema.ts';

export interface RetrySettings {
  attempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
}

const QUEUE_TIMEOUT_MS = 5_000;
const HEDGE_SHARE = 0.05;

/** A route in our own words, with its defaults in place. The short form is one group in the order given. */
export function routeSettings(name: string, config: RouteConfig, defaults: RetrySettings) {
  const route = Array.isArray(config) ? { targets: config } : config;
  const groups = route.groups ?? [{ targets: route.targets ?? [] }];
  const { description, retry, fallback_on: fallbackOn, hedge, cache, context, uncarried } = route;
  return {
    name,
    groups: groups.map(groupSettings),
    ...(description !== undefined && { description }),
    ...(retry !== undefined && { retry: retrySettings(retry, defaults) }),
    ...(fallbackOn !== undefined && { fallbackOn }),
    ...(hedge !== undefined && { hedge: { afterMs: hedge.after_ms, maxShare: hedge.max_share ?? HEDGE_SHARE } }),
    ...(cache !== undefined && { cache: { ttlMs: cache.ttl_s * 1_000, scope: cache.scope ?? ('tenant' as const) } }),
    ...(context !== undefined && {
      context: {
        policy: context.policy,
        ...(context.max_input_tokens !== undefined && { maxInputTokens: context.max_input_tokens }),
        ...(context.summary_route !== undefined && { summaryRoute: context.summary_route }),
      },
    }),
    ...(uncarried !== undefined && { uncarried }),
  };
}

export type RouteSettings = ReturnType<typeof routeSettings>;

/** The policy of a target in our own words. */
export function targetPolicySettings(config: TargetPolicyConfig) {
  const { enabled, concurrency, queue, context_tokens: contextTokens } = config;
  return {
    ...(enabled !== undefined && { enabled }),
    ...(concurrency !== undefined && { concurrency }),
    ...(queue !== undefined && { queue: { max: queue.max, timeoutMs: queue.timeout_ms ?? QUEUE_TIMEOUT_MS } }),
    ...(contextTokens !== undefined && { contextTokens }),
  };
}

export type TargetPolicySettings = ReturnType<typeof targetPolicySettings>;

/** Retries with what is not given taken from the defaults. */
export function retrySettings(config: RetryConfig | undefined, defaults: RetrySettings): RetrySettings {
  return {
    attempts: config?.attempts ?? defaults.attempts,
    baseDelayMs: config?.base_delay_ms ?? defaults.baseDelayMs,
    maxDelayMs: config?.max_delay_ms ?? defaults.maxDelayMs,
  };
}

/** The names of all targets of a route, as the configuration gives them. */
export function targetNames(config: RouteConfig): string[] {
  const route = Array.isArray(config) ? { targets: config } : config;
  const targets = route.targets ?? route.groups?.flatMap((group) => group.targets) ?? [];
  return targets.map((target) => (typeof target === 'string' ? target : target.target));
}

type GroupConfig = NonNullable<Exclude<RouteConfig, readonly string[]>['groups']>[number];

function groupSettings(group: GroupConfig) {
  const { strategy, sticky_by: stickyBy, when } = group;
  return {
    strategy: strategy ?? ('ordered' as const),
    ...(stickyBy !== undefined && { stickyBy }),
    ...(when !== undefined && {
      when: {
        ...(when.models !== undefined && { models: when.models }),
        ...(when.tenants !== undefined && { tenants: when.tenants }),
        ...(when.teams !== undefined && { teams: when.teams }),
        ...(when.tags !== undefined && { tags: when.tags }),
        ...(when.min_input_tokens !== undefined && { minInputTokens: when.min_input_tokens }),
        ...(when.max_input_tokens !== undefined && { maxInputTokens: when.max_input_tokens }),
      },
    }),
    targets: group.targets.map((target) =>
      typeof target === 'string' ? { name: target, weight: 1 } : { name: target.target, weight: target.weight ?? 1 },
    ),
  };
}
