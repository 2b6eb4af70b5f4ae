import { LRUCache } from 'lru-cache';
import type { ModelGateway } from '../../gateway/model-call.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';

const CACHE_BYTES = 8 * 1024 * 1024;

/** A question to be turned into a vector by the embedding route of its collection. */
export interface QueryToEmbed {
  principal: Principal;
  requestId: RequestId;
  route: string;
  text: string;
  signal: AbortSignal;
}

/** Gives the vector of a query. Shared between callers: not to be written to. */
export type EmbedQuery = (query: QueryToEmbed) => Promise<Float32Array>;

/** Embeds queries through the gateway and remembers the latest of each tenant, up to 8 MiB. */
export function createEmbedQuery(deps: { gateway: Pick<ModelGateway, 'embed'> }): EmbedQuery {
  const cache = new LRUCache<string, Float32Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (vector, key) => vector.byteLength + key.length * 2,
  });
  return async ({ principal, requestId, route, text, signal }) => {
    const key = `${principal.tenantId}\n${route}\n${text}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const outcome = await deps.gateway.embed({
      requestId,
      route,
      signal,
      // Who may read a collection may have the question embedded, whichever routes the key may call directly.
      principal: { ...principal, allowedRoutes: [] },
      request: { input: [text], purpose: 'query' },
    });
    const vector = outcome.answer.result().vectors[0];
    if (vector === undefined) throw new SekishoError('upstream_broken', { values: { target: outcome.facts.target } });
    cache.set(key, vector);
    return vector;
  };
}
