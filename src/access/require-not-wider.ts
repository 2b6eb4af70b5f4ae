import { SekishoError } from '../spec/errors.ts';
import type { Limits } from '../spec/limits.ts';
import type { Principal } from '../spec/principal.ts';

/** What a key is to be allowed. */
export interface WantedRights {
  role: Principal['role'];
  allowedRoutes: readonly string[];
  limits: Limits;
  team: string | null;
  /** null: it never ends. */
  expiresMs: number | null;
}

/**
 * Nobody gives away more than he has: role, routes, limits, team and end of a key stay within those of whoever makes
 * or changes it. A team counts because it has limits and budgets of its own.
 * @throws SekishoError forbidden, naming what is wider.
 */
export function requireNotWider(principal: Principal & { expiresMs: number | null }, wanted: WantedRights): void {
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
  if (principal.team !== undefined && wanted.team !== principal.team) throw wider('team');
  if (principal.expiresMs !== null && (wanted.expiresMs === null || wanted.expiresMs > principal.expiresMs)) {
    throw wider('expires_at');
  }
}

/** Whether every route that `route` names is named by `pattern`; both may end in `*`. */
function covers(pattern: string, route: string): boolean {
  return pattern.endsWith('*') ? route.startsWith(pattern.slice(0, -1)) : pattern === route;
}

function wider(what: string): SekishoError {
  return new SekishoError('forbidden', {
    values: { action: `make or change a key that has more than this one (${what})` },
  });
}
