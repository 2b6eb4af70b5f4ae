import { SekishoError } from '../spec/errors.ts';
import type { Limits } from '../spec/limits.ts';
import type { Principal } from '../spec/principal.ts';

/** What a key is to be allowed, as far as it is stated. */
export interface WantedRights {
  role: Principal['role'];
  allowedRoutes: readonly string[];
  limits: Limits;
}

/**
 * Nobody gives away more than he has: role, routes and limits of a key stay within those of whoever makes or
 * changes it. @throws SekishoError forbidden, naming what is wider.
 */
export function requireNotWider(principal: Principal, wanted: WantedRights): void {
  if (wanted.role === 'admin' && principal.role !== 'admin') throw wider('role');
  const { allowedRoutes } = principal;
  if (allowedRoutes.length > 0) {
    const covered = wanted.allowedRoutes.every((route) => allowedRoutes.some((pattern) => covers(pattern, route)));
    if (wanted.allowedRoutes.length === 0 || !covered) throw wider('allowed_routes');
  }
  const { shadow, ...ours } = principal.limits;
  for (const [name, most] of Object.entries(ours)) {
    const given = Object.entries(wanted.limits).find(([key]) => key === name)?.[1];
    if (typeof given !== 'number' || given > most) throw wider(`limits.${name}`);
  }
  if (shadow !== true && Object.keys(ours).length > 0 && wanted.limits.shadow === true) throw wider('limits.shadow');
}

/** Whether every route that `route` names is named by `pattern`; both may end in `*`. */
function covers(pattern: string, route: string): boolean {
  return pattern.endsWith('*') ? route.startsWith(pattern.slice(0, -1)) : pattern === route;
}

function wider(what: string): SekishoError {
  return new SekishoError('forbidden', { values: { action: `give a key more than this key has (${what})` } });
}
