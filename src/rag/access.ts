import { createHash } from 'node:crypto';
import type { IndexFilter } from '../ports/chunk-index.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import type { Principal } from '../spec/principal.ts';
import { escapedKey } from './tag-key.ts';

/**
 * Tags that no metadata can forge: a key of metadata never has a `%` that is not followed by `25` or `3D`.
 * A document that is not open to everybody carries MARK, and one tag for each right that opens it.
 */
const MARK = '%acl';
const MEMBER: Principal['role'] = 'member';

/** What a chunk of a document carries of its access; null: open to everybody who may use the collection. */
export function accessTags(access: DocumentAccess | null): string[] {
  if (access === null) return [];
  const tags = new Set([MARK]);
  for (const role of access.roles ?? []) tags.add(roleTag(role));
  for (const group of access.groups ?? []) tags.add(groupTag(group));
  for (const [name, values] of Object.entries(access.attributes ?? {})) {
    for (const value of values) tags.add(attributeTag(name, value));
  }
  return [...tags].sort();
}

/**
 * The rights of a caller, sorted, as tags; 'all' for an administrator, who sees every document of its tenant unless
 * it acts as somebody.
 */
export function rightsOf(principal: Principal): readonly string[] | 'all' {
  if (principal.role === 'admin') return 'all';
  const tags = new Set([roleTag(MEMBER)]);
  for (const group of principal.groups ?? []) tags.add(groupTag(group));
  for (const [name, values] of Object.entries(principal.attributes ?? {})) {
    for (const value of values) tags.add(attributeTag(name, value));
  }
  return [...tags].sort();
}

/**
 * A stable name of a caller's rights within its tenant: equal where two callers find the same documents whatever
 * those are opened to, different otherwise. At most 43 characters; for the keys of caches, beside the tenant.
 */
export function rightsKey(principal: Principal): string {
  const rights = rightsOf(principal);
  if (rights === 'all') return 'all';
  return createHash('sha256').update(JSON.stringify(rights)).digest('base64url');
}

/** What the index is asked beside every question of the caller; undefined where it may find everything. */
export function rightsFilter(principal: Principal): IndexFilter | undefined {
  const rights = rightsOf(principal);
  return rights === 'all' ? undefined : { or: [{ not: { anyTag: [MARK] } }, { anyTag: rights }] };
}

/** Whether the caller may see a document that is opened so. */
export function maySee(principal: Principal, access: DocumentAccess | null): boolean {
  if (access === null) return true;
  const rights = rightsOf(principal);
  if (rights === 'all') return true;
  const tags = new Set(accessTags(access));
  return rights.some((right) => tags.has(right));
}

function roleTag(role: string): string {
  return `${MARK}=role:${role.normalize('NFC')}`;
}

function groupTag(group: string): string {
  return `${MARK}=group:${group.normalize('NFC')}`;
}

function attributeTag(name: string, value: string): string {
  return `${MARK}=attr:${escapedKey(name)}=${value.normalize('NFC')}`;
}
