import type { ModelGateway } from '../../gateway/model-call.ts';
import type { Principal } from '../../spec/principal.ts';

/** The models that a route ends at, the first choice first; none where the route is no alias, and names its model itself. */
export function modelsOf(gateway: Pick<ModelGateway, 'routes'>, principal: Principal, route: string): string[] {
  // Who may read a collection may have it answered, whichever routes the key may call directly.
  const found = gateway.routes({ ...principal, allowedRoutes: [] }).find(({ name }) => name === route);
  return found?.targets.map(({ model }) => model) ?? [];
}
