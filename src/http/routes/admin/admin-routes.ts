import { Hono } from 'hono';
import { limitsSchema, shownLimits } from '../../../config/limits-schema.ts';
import { priceSchema } from '../../../config/provider-schema.ts';
import type { ProviderSettings } from '../../../config/provider-settings.ts';
import { detailedRouteSchema, targetName, targetPolicySchema } from '../../../config/route-schema.ts';
import type { RouteSettings, TargetPolicySettings } from '../../../config/route-settings.ts';
import { LIMIT_SCOPES, type LimitScope, type Limits } from '../../../spec/limits.ts';
import { SekishoError } from '../../../spec/errors.ts';
import type { HttpEnv } from '../../http-context.ts';
import { cacheRoutes } from './cache.ts';
import { managedRoutes } from './managed.ts';
import { providerAdminRoutes, type ProviderAdminDeps } from './providers.ts';
import { targetHealthRoutes } from './targets.ts';

/** What the file and the environment have set. */
export interface FileSettings {
  providers: readonly ProviderSettings[];
  routes: readonly RouteSettings[];
  targets: ReadonlyMap<string, TargetPolicySettings>;
  limits: Record<LimitScope, ReadonlyMap<string, Limits>>;
}

export type AdminRouteDeps = Omit<ProviderAdminDeps, 'fromFile'> &
  Parameters<typeof targetHealthRoutes>[0] &
  Parameters<typeof cacheRoutes>[0] & { file: FileSettings };

/** What administrators change and see while the process runs. */
export function adminRoutes(deps: AdminRouteDeps): Hono<HttpEnv> {
  const { file, managed } = deps;
  const app = new Hono<HttpEnv>();
  app.route('/', targetHealthRoutes(deps));
  app.route('/', cacheRoutes(deps));
  app.route(
    '/',
    providerAdminRoutes({
      ...deps,
      fromFile: () =>
        file.providers.map(({ name, wire, baseUrl, origin }) => ({ name, wire, base_url: baseUrl, origin })),
    }),
  );
  app.route(
    '/',
    managedRoutes(managed, {
      kind: 'route',
      path: '/v1/routes',
      schema: detailedRouteSchema,
      fromFile: () => file.routes.map(({ name, ...value }): [string, object] => [name, value]),
      check: (name) => {
        // Its answers come from documents, whatever a route of that name would say.
        if (name.startsWith('rag/')) throw wrongName('names that begin with "rag/" belong to collections');
      },
    }),
  );
  app.route(
    '/',
    managedRoutes(managed, {
      kind: 'target',
      path: '/v1/targets',
      schema: targetPolicySchema,
      fromFile: () => file.targets,
      check: (name) => {
        if (!targetName.safeParse(name).success) throw wrongName('must be "provider/model" or "provider/*"');
      },
    }),
  );
  app.route(
    '/',
    managedRoutes(managed, {
      kind: 'limit',
      path: '/v1/limits',
      schema: limitsSchema,
      fromFile: () =>
        LIMIT_SCOPES.flatMap((scope) =>
          [...file.limits[scope]].map(([subject, limits]): [string, object] => [
            `${scope}/${subject}`,
            shownLimits(limits),
          ]),
        ),
      check: (name) => {
        const scope = name.slice(0, name.indexOf('/'));
        if (!LIMIT_SCOPES.some((each) => each === scope) || name.length === scope.length + 1) {
          throw wrongName(`must be <scope>/<subject> with a scope of ${LIMIT_SCOPES.join(', ')}`);
        }
      },
    }),
  );
  app.route(
    '/',
    managedRoutes(managed, {
      kind: 'price',
      path: '/v1/prices',
      schema: priceSchema,
      fromFile: () =>
        file.providers.flatMap(({ name, prices }) =>
          Object.entries(prices).map(([model, price]): [string, object] => [`${name}/${model}`, price]),
        ),
      check: (name) => {
        if (!targetName.safeParse(name).success) throw wrongName('must be "provider/model"');
      },
    }),
  );
  return app;
}

function wrongName(problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `name: ${problem}` }, param: 'name' });
}
