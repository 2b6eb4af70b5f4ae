import type { Provider } from '../ports/provider.ts';
import { mayUseRoute } from '../access/permissions.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Price } from '../spec/money.ts';
import type { Principal } from '../spec/principal.ts';
import type { Route, Target } from '../spec/route.ts';

/** How often one target is tried, and how long to wait between. */
export interface RetryPolicy {
  attempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
}

/** A model that a provider is known to have. */
export interface KnownModel {
  model: string;
  kinds: Route['kinds'];
}

/** A configured provider and what is known about its models. */
export interface ProviderEntry {
  provider: Provider;
  /** Models on offer as far as known now; may grow while the process runs. */
  models: () => readonly KnownModel[];
  priceOf: (model: string) => Price | undefined;
  /** Whether a model that is on no list may still be asked for by its bare name. */
  trusted: boolean;
}

export interface RouteDefinition {
  name: string;
  /** `provider/model`, in the order of fallback. */
  targets: readonly string[];
  description?: string;
  retry?: RetryPolicy;
}

export interface ResolvedTarget extends Target {
  endpoint: Provider;
}

/** What a public model name resolves to for one call. */
export interface Plan {
  route: string;
  targets: ResolvedTarget[];
  retry: RetryPolicy;
}

export interface RouteBook {
  /**
   * Resolves a name: a route of the configuration, then `provider/model`, then a bare model name that a
   * provider is known to have (the first provider in order).
   * @throws SekishoError route_not_found, naming what exists; route_forbidden.
   */
  resolve(name: string, principal: Principal): Plan;
  /** Every route that the principal may use and that can be listed. */
  list(principal: Principal): Route[];
}

/** The names that callers may use, over what is configured and what providers offer. */
export function createRouteBook(options: {
  providers: readonly ProviderEntry[];
  routes: readonly RouteDefinition[];
  defaultRetry: RetryPolicy;
}): RouteBook {
  const entries = new Map(options.providers.map((entry) => [entry.provider.name, entry]));
  const routes = new Map(options.routes.map((route) => [route.name, route]));

  function targetOf(name: string): ResolvedTarget | undefined {
    const slash = name.indexOf('/');
    const entry = entries.get(name.slice(0, slash));
    const model = name.slice(slash + 1);
    if (slash < 1 || entry === undefined || model === '') return undefined;
    const price = entry.priceOf(model);
    return {
      name,
      provider: entry.provider.name,
      model,
      weight: 1,
      endpoint: entry.provider,
      ...(price === undefined ? {} : { price }),
    };
  }

  function bareModel(name: string): ResolvedTarget | undefined {
    const entry = options.providers.find(({ models }) => models().some(({ model }) => model === name));
    if (entry !== undefined) return targetOf(`${entry.provider.name}/${name}`);
    // A single provider whose list cannot be had is left to judge the name itself.
    const [only, ...others] = options.providers.filter(({ trusted }) => trusted);
    return only !== undefined && others.length === 0 && only.models().length === 0
      ? targetOf(`${only.provider.name}/${name}`)
      : undefined;
  }

  function kindsOf(target: ResolvedTarget): Route['kinds'] {
    const known = entries
      .get(target.provider)
      ?.models()
      .find(({ model }) => model === target.model);
    return known?.kinds ?? ['chat'];
  }

  function listAll(): Route[] {
    const configured = options.routes.map((route): Route => {
      const targets = route.targets.flatMap((name) => targetOf(name) ?? []);
      const kinds = targets[0] === undefined ? [] : kindsOf(targets[0]);
      return {
        name: route.name,
        targets: targets.map(plainTarget),
        kinds,
        ...(route.description === undefined ? {} : { description: route.description }),
      };
    });
    const offered = options.providers.flatMap(({ provider, models }) =>
      models().flatMap(({ model, kinds }): Route[] => {
        const name = isLocal(provider) ? model : `${provider.name}/${model}`;
        const target = targetOf(`${provider.name}/${model}`);
        return routes.has(name) || target === undefined ? [] : [{ name, targets: [plainTarget(target)], kinds }];
      }),
    );
    return [...configured, ...offered];
  }

  const list = (principal: Principal): Route[] => listAll().filter((route) => mayUseRoute(principal, route.name));

  return {
    list,
    resolve: (name, principal) => {
      if (!mayUseRoute(principal, name)) throw new SekishoError('route_forbidden', { values: { route: name } });
      const route = routes.get(name);
      const targets = route?.targets.flatMap((target) => targetOf(target) ?? []) ?? [];
      if (route === undefined) {
        const target = targetOf(name) ?? bareModel(name);
        if (target !== undefined) targets.push(target);
      }
      if (targets.length === 0) {
        const names = list(principal).map((each) => each.name);
        const known = names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');
        throw new SekishoError('route_not_found', { values: { route: name.slice(0, 200), known }, param: 'model' });
      }
      return { route: name, targets, retry: route?.retry ?? options.defaultRetry };
    },
  };
}

/** Targets that answer inside this process go by their model's name alone. */
function isLocal(provider: Provider): boolean {
  return provider.wire === 'extractive' || provider.wire === 'static';
}

function plainTarget({ name, provider, model, weight, price }: ResolvedTarget): Target {
  return { name, provider, model, weight, ...(price && { price }) };
}
