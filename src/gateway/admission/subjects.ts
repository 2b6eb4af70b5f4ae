import type { RequestId } from '../../spec/ids.ts';
import type { LimitBook, Limits, LimitScope } from '../../spec/limits.ts';
import type { Principal } from '../../spec/principal.ts';
import type { SpentFilter } from '../ledger.ts';
import type { Measures } from './measures.ts';

/** Whose use one call counts towards. */
export interface AdmissionCall {
  principal: Principal;
  /** The public model name that was asked for. */
  route: string;
  endUser?: string;
  /** For reports. */
  requestId?: RequestId;
}

/** One that has limits, with what they are. */
export interface Subject {
  scope: LimitScope;
  /** As a message names it. */
  name: string;
  /** Begins every counter key; in braces what all counters of one take have in common. */
  tag: string;
  /** Ends every counter key. */
  id: string;
  measures: Measures;
  /** Whose spending in the ledger its budgets add up. */
  spent: SpentFilter;
}

/** As much of an end user's name as the ledger keeps. */
const USER_LENGTH = 200;

/**
 * The subjects of a call that have limits: key, end user, team, tenant, route, the narrowest first. All but the
 * target count within their tenant, so that no tenant sees or feels another's use.
 */
export function createSubjectsOf(
  limitsOf: LimitBook['limitsOf'],
  measuresOf: (limits: Limits | undefined) => Measures | undefined,
): (call: AdmissionCall) => Subject[] | undefined {
  return ({ principal, route, endUser }) => {
    const { tenantId, keyId, team } = principal;
    const own = measuresOf(principal.limits) ?? measuresOf(limitsOf('key', principal.name));
    const user = endUser === undefined ? undefined : measuresOf(limitsOf('user', endUser));
    const ofTeam = team === undefined ? undefined : measuresOf(limitsOf('team', team));
    const tenant = measuresOf(limitsOf('tenant', tenantId));
    const ofRoute = measuresOf(limitsOf('route', route));
    if ((own ?? user ?? ofTeam ?? tenant ?? ofRoute) === undefined) return undefined;

    const tag = `{${tenantId}}`;
    const subjects: Subject[] = [];
    const add = (scope: LimitScope, id: string, measures: Measures | undefined, spent: SpentFilter): void => {
      if (measures !== undefined) subjects.push({ scope, name: id, tag, id, measures, spent: { tenantId, ...spent } });
    };
    add('key', keyId, own, { keyId });
    if (endUser !== undefined) {
      const id = endUser.slice(0, USER_LENGTH);
      add('user', id, user, { endUser: id });
    }
    if (team !== undefined) add('team', team, ofTeam, { team });
    add('tenant', tenantId, tenant, {});
    add('route', route, ofRoute, { route });
    return subjects;
  };
}

/** The target as a subject. Its limits stand for what the upstream grants, whichever tenant calls. */
export function targetSubject(name: string, measures: Measures): Subject {
  return { scope: 'target', name, tag: `{${name}}`, id: name, measures, spent: { target: name } };
}
