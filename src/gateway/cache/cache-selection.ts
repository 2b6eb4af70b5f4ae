import type { CacheSelection } from '../../ports/cache-store.ts';
import type { TenantId } from '../../spec/ids.ts';
import { HASH_LENGTH } from './answer-key.ts';
import type { Invalidation } from './cache-admin.ts';
import { matchesGlob } from './glob.ts';

/** A tag as the stores know it: tenants may use the same words. */
export function ownTag(tenantId: TenantId, tag: string): string {
  return `${tenantId}|${tag}`;
}

/** What a tenant wants forgotten, in the words of stores; whatever it names, it stays within its own. */
export function ownSelection(tenantId: TenantId, wanted: Invalidation): CacheSelection {
  if ('pattern' in wanted) return { pattern: `${tenantId}/${wanted.pattern}` };
  if ('route' in wanted) return { pattern: `${tenantId}/${wanted.route}/${'?'.repeat(HASH_LENGTH)}` };
  return { tag: ownTag(tenantId, 'tag' in wanted ? wanted.tag : documentTag(wanted.document)) };
}

/** The tag of everything that was made with a document. */
export function documentTag(documentId: string): string {
  return `document:${documentId}`;
}

export function isSelected(selection: CacheSelection, key: string, tags: readonly string[]): boolean {
  return 'tag' in selection ? tags.includes(selection.tag) : matchesGlob(key, selection.pattern);
}
