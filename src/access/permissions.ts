import { SekishoError } from '../spec/errors.ts';
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
