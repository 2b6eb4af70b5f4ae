import { Hono } from 'hono';
import { requireAdmin } from '../../../access/permissions.ts';
import type { CacheAdmin } from '../../../gateway/cache/cache-admin.ts';
import { invalidateSchema } from '../../contract/admin.ts';
import type { HttpEnv } from '../../http-context.ts';
import { readValid } from '../../read-body.ts';

/** What the cache holds of the caller's tenant, and forgetting it. */
export function cacheRoutes(deps: { cache: CacheAdmin }): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/v1/cache', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'read the cache statistics');
      return context.json(await deps.cache.stats(principal.tenantId));
    })
    .post('/v1/cache/invalidate', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'invalidate the cache');
      const { pattern, route, tag, document } = await readValid(context, invalidateSchema);
      const selection =
        pattern !== undefined
          ? { pattern }
          : route !== undefined
            ? { route }
            : tag !== undefined
              ? { tag }
              : document !== undefined
                ? { document }
                : { pattern: '*' };
      return context.json({ removed: await deps.cache.invalidate(principal.tenantId, selection) });
    });
}
