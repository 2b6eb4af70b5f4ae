import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';

/** Whether the principal may use a route. Patterns end in `*`; no pattern at all means every route. */
export function mayUseRoute(principal: Principal, route: string): boolean {
  return (
    principal.allowedRoutes.length === 0 ||
    principal.allowedRoutes.some((pattern) =>
      pattern.endsWith('*') ? route.startsWith(pattern.slice(0, -1)) : route === pattern,
    )
  );
}

/** @throws SekishoError forbidden, naming the action, unless the principal is an administrator. */
export function requireAdmin(principal: Principal, action: string): void {
  if (principal.role !== 'admin') throw new SekishoError('forbidden', { values: { action } });
}

/**
 * For what concerns every tenant (providers, routes, prices): an administrator of the default tenant who is
 * bound to no routes. @throws SekishoError forbidden, naming the action.
 */
export function requireOperator(principal: Principal, action: string): void {
  requireAdmin(principal, action);
  if (principal.tenantId !== DEFAULT_TENANT || principal.allowedRoutes.length > 0) {
    throw new SekishoError('forbidden', { values: { action } });
  }
}
