import { SekishoError } from '../spec/errors.ts';
import type { Principal } from '../spec/principal.ts';
import { missingOf } from './require-not-wider.ts';

/** For whom a caller acts: an end user with these groups and attributes. */
export interface ActingAs {
  groups: readonly string[];
  attributes: Readonly<Record<string, readonly string[]>>;
}

/**
 * The caller with the rights of whoever it acts for: a member with these groups and attributes and no others. An
 * administrator may act for anybody, everybody else within what he has. Whatever is named, the rights only narrow.
 * @throws SekishoError forbidden where the caller does not have what it names.
 */
export function actAs(principal: Principal, as: ActingAs): Principal {
  const missing = principal.role === 'admin' ? undefined : missingOf(principal, as);
  if (missing !== undefined) {
    throw new SekishoError('forbidden', { values: { action: `act as somebody with rights it lacks (${missing})` } });
  }
  return { ...principal, role: 'member', groups: as.groups, attributes: as.attributes, acting: true };
}
