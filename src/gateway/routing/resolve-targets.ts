import type { Catalogue, GroupTarget, ProviderEntry, TargetPolicy } from '../catalogue.ts';
import type { EndpointBook } from './endpoint-book.ts';
import type { ResolvedTarget } from './plan.ts';

const NO_POLICY: TargetPolicy = {};

/** Finds the targets that a name stands for. */
export interface TargetResolver {
  /** A target as configured, at no place in particular; undefined where the provider is not known. */
  describe(name: string): ResolvedTarget | undefined;
  /** The targets that can be called: one for each place of the provider, none where it is switched off. */
  expand(target: GroupTarget): ResolvedTarget[];
}

/** Targets of one catalogue. A fleet shares the weight of its target by the weights of its places. */
export function createTargetResolver(options: {
  catalogue: Catalogue;
  entries: ReadonlyMap<string, ProviderEntry>;
  endpoints: Pick<EndpointBook, 'instancesOf'>;
}): TargetResolver {
  const { catalogue, entries, endpoints } = options;

  function policyOf(name: string, provider: string): TargetPolicy {
    const own = catalogue.targets.get(name);
    const shared = catalogue.targets.get(`${provider}/*`);
    return own === undefined ? (shared ?? NO_POLICY) : { ...shared, ...own };
  }

  function describe(name: string): ResolvedTarget | undefined {
    const slash = name.indexOf('/');
    const entry = entries.get(name.slice(0, slash));
    const model = name.slice(slash + 1);
    if (slash < 1 || entry === undefined || model === '') return undefined;
    const provider = entry.provider.name;
    const price = entry.priceOf(model);
    const policy = policyOf(name, provider);
    const contextTokens = policy.contextTokens ?? entry.contextOf?.(model);
    return {
      name,
      provider,
      model,
      weight: 1,
      ...(price !== undefined && { price }),
      endpoint: entry.provider,
      key: name,
      place: provider,
      policy,
      ...(contextTokens !== undefined && { contextTokens }),
    };
  }

  return {
    describe,
    expand: ({ name, weight }) => {
      const target = describe(name);
      if (target === undefined || target.policy.enabled === false) return [];
      const entry = entries.get(target.provider);
      const instances = entry && endpoints.instancesOf(entry);
      if (instances === undefined) return [weight === 1 ? target : { ...target, weight }];
      const total = instances.reduce((sum, instance) => sum + instance.weight, 0);
      return instances.map((instance) => ({
        ...target,
        weight: total > 0 ? (weight * instance.weight) / total : weight / instances.length,
        endpoint: instance.provider,
        key: `${name}@${instance.origin}`,
        place: `${target.provider}@${instance.origin}`,
      }));
    },
  };
}
