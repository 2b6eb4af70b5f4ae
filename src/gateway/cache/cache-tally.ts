import { LRUCache } from 'lru-cache';
import type { TenantId } from '../../spec/ids.ts';

/** Counters of a cache by tenant; of more than 10,000 tenants the least recently seen begin anew. */
export function createCacheTally<Name extends string>(names: readonly Name[]) {
  const tallies = new LRUCache<TenantId, Record<Name, number>>({ max: 10_000 });
  const zero = (): Record<Name, number> => Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  return {
    add: (tenantId: TenantId, name: Name, count = 1): void => {
      let tally = tallies.get(tenantId);
      if (tally === undefined) tallies.set(tenantId, (tally = zero()));
      tally[name] += count;
    },
    of: (tenantId: TenantId): Record<Name, number> => tallies.peek(tenantId) ?? zero(),
  };
}
