import type { Endpoint, EndpointSource } from '../ports/endpoint-source.ts';
import type { Provider } from '../ports/provider.ts';
import type { Price } from '../spec/money.ts';
import type { ModelKind } from '../spec/route.ts';
import type { FallbackReason, StickyKey, Strategy } from '../spec/routing.ts';

/** How often one target is tried, and how long to wait between. */
export interface RetryPolicy {
  attempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
}

/** A model that a provider is known to have. */
export interface KnownModel {
  model: string;
  kinds: ModelKind[];
  /** Tokens that the model's window holds, input and output together. */
  contextTokens?: number;
}

/** A configured provider and what is known about its models. */
export interface ProviderEntry {
  provider: Provider;
  /** Models on offer as far as known now; may grow while the process runs. */
  models: () => readonly KnownModel[];
  priceOf: (model: string) => Price | undefined;
  contextOf?: (model: string) => number | undefined;
  /** Whether a model that is on no list may still be asked for by its bare name. */
  trusted: boolean;
  /** Where the provider answers at several places: where they are found, and the provider at one of them. */
  fleet?: { source: EndpointSource; at: (endpoint: Endpoint) => Provider };
}

/** All that is given must hold; within a list one match suffices. Patterns may end in `*`. */
export interface RouteCondition {
  /** The model name that the caller asked for, where the route's own name is a pattern. */
  models?: readonly string[];
  tenants?: readonly string[];
  teams?: readonly string[];
  /** Tags of the key or of the request. */
  tags?: readonly string[];
  minInputTokens?: number;
  maxInputTokens?: number;
}

export interface GroupTarget {
  /** `provider/model`. */
  name: string;
  weight: number;
}

/** Targets among which a strategy chooses; when all have failed, the next group's turn comes. */
export interface RouteGroup {
  strategy: Strategy;
  stickyBy?: StickyKey;
  when?: RouteCondition;
  targets: readonly GroupTarget[];
}

/** A second call to another target while the first is slow to begin; the answer that begins first wins. */
export interface HedgePolicy {
  afterMs: number;
  /** Hedged calls as a share of all, at most: 0.05 is one in twenty. */
  maxShare: number;
}

export interface CachePolicy {
  ttlMs: number;
  /** Who shares an answer; `tenant` is the widest. */
  scope: 'tenant' | 'team' | 'key' | 'user';
}

export interface ContextPolicy {
  /** What is done with a history that does not fit: old turns are dropped, the middle is dropped, or summarised. */
  policy: 'newest' | 'drop-middle' | 'summarise';
  /** Tokens of history at most; absent: what the target's window leaves. */
  maxInputTokens?: number;
  /** The route that writes summaries. */
  summaryRoute?: string;
}

export interface RouteDefinition {
  /** A public model name; one that ends in `*` stands for every name that begins so. */
  name: string;
  groups: readonly RouteGroup[];
  description?: string;
  retry?: RetryPolicy;
  fallbackOn?: readonly FallbackReason[];
  hedge?: HedgePolicy;
  cache?: CachePolicy;
  context?: ContextPolicy;
  /** What a wire cannot carry is refused, or left out by name in the trace. */
  uncarried?: 'refuse' | 'drop';
}

/** What holds for one target, or for every target of a provider (`provider/*`). */
export interface TargetPolicy {
  /** False: no call goes there. */
  enabled?: boolean;
  /** Calls at once in this process, and how many wait for how long when all are taken. */
  concurrency?: number;
  queue?: { max: number; timeoutMs: number };
  contextTokens?: number;
}

/** When a target counts as ill and when it is tried again. */
export interface BreakerPolicy {
  /** Share of failed calls in the window from which the breaker opens, and calls needed to judge. */
  failureShare: number;
  minimumCalls: number;
  windowMs: number;
  openMs: number;
}

/** Everything that routing goes by, as it is in force now: never changed, only replaced. */
export interface Catalogue {
  providers: readonly ProviderEntry[];
  routes: readonly RouteDefinition[];
  /** By `provider/model` or `provider/*`. */
  targets: ReadonlyMap<string, TargetPolicy>;
  defaultRetry: RetryPolicy;
  /** Retries of the whole process as a share of its calls, at most. */
  retryShare: number;
  breaker: BreakerPolicy;
}
