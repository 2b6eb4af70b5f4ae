import { SekishoError } from '../spec/errors.ts';
import type { Limits } from '../spec/limits.ts';
import type { Principal } from '../spec/principal.ts';

/** What a key is to be allowed. */
export interface WantedRights {
  role: Principal['role'];
  allowedRoutes: readonly string[];
  limits: Limits;
  team: string | null;
  groups: readonly string[];
  attributes: Readonly<Record<string, readonly string[]>>;
  /** null: it never ends. */
  expiresMs: number | null;
}

/**
 * Nobody gives away more than he has: role, routes, limits, team, groups, attributes and end of a key stay within
 * those of whoever makes or changes it. A team counts because it has limits and budgets of its own. An administrator
 * sees every document, so that groups and attributes that he gives away are never more than he has.
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
  const missing = principal.role === 'admin' ? undefined : missingOf(principal, wanted);
  if (missing !== undefined) throw wider(missing);
  if (principal.expiresMs !== null && (wanted.expiresMs === null || wanted.expiresMs > principal.expiresMs)) {
    throw wider('expires_at');
  }
}

/** What the principal lacks of the groups and attributes that are named; undefined where it has them all. */
export function missingOf(
  principal: Principal,
  { groups, attributes }: Pick<WantedRights, 'groups' | 'attributes'>,
): string | undefined {
  if (groups.some((group) => principal.groups?.includes(group) !== true)) return 'groups';
  const own = new Map(Object.entries(principal.attributes ?? {}));
  const missing = Object.entries(attributes).find(([name, values]) =>
    values.some((value) => own.get(name)?.includes(value) !== true),
  );
  return missing && `attributes.${missing[0].slice(0, 100)}`;
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
