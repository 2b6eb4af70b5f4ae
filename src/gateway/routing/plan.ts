import type { Provider } from '../../ports/provider.ts';
import type { Principal } from '../../spec/principal.ts';
import type { Target } from '../../spec/route.ts';
import type { FallbackReason, Strategy } from '../../spec/routing.ts';
import type { CachePolicy, ContextPolicy, HedgePolicy, RetryPolicy, TargetPolicy } from '../catalogue.ts';

/** A target as it can be called now: one model at one place. */
export interface ResolvedTarget extends Target {
  endpoint: Provider;
  /** Unique among all: `provider/model`, or `provider/model@origin` where the provider answers at several places. */
  key: string;
  /** The place alone: `provider` or `provider@origin`. */
  place: string;
  policy: TargetPolicy;
  /** Tokens that the window holds, input and output together, where known. */
  contextTokens?: number;
}

/** A group whose conditions hold for the call at hand. */
export interface PlannedGroup {
  strategy: Strategy;
  targets: readonly ResolvedTarget[];
  /** What a sticky group hashes; absent where the call names nothing to stick to. */
  affinity?: string;
}

/** What a public model name resolves to for one call. */
export interface Plan {
  /** The name that was asked for. */
  route: string;
  /** The name of the definition, where there is one; a pattern differs from `route`. */
  definition?: string;
  groups: readonly PlannedGroup[];
  retry: RetryPolicy;
  /** Failures after which the next target may be tried. */
  fallbackOn: ReadonlySet<FallbackReason>;
  hedge?: HedgePolicy;
  cache?: CachePolicy;
  context?: ContextPolicy;
  uncarried: 'refuse' | 'drop';
  /** All targets of all groups in the order of the plan. */
  targets: readonly ResolvedTarget[];
}

/** What a call asks the route book. */
export interface RouteQuery {
  /** The public model name. */
  route: string;
  principal: Principal;
  /** Tags of the request, beside those of the key. */
  tags?: readonly string[];
  session?: string;
  endUser?: string;
  /** Estimated tokens of the prompt; asked for only where a condition needs it. */
  inputTokens: () => number;
}
