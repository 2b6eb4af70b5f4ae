import type { CallOrigin } from '../model-call.ts';
import { ownTag } from './cache-selection.ts';

/** Tags of one entry at most; an answer from 100 passages has two for each document and some beside. */
const MAX_TAGS = 300;
/** The longest ids of a collection and of a document, with what stands around them. */
const LONGEST_TAG = 640;

/**
 * What naming will forget an answer: the tags of the request, of what it is made of and of the key, as stores
 * know them.
 * @returns undefined where they are too many or too long: what cannot be forgotten must not be kept.
 */
export function callTags({ principal, tags: asked = [], cacheTags: used = [] }: CallOrigin): string[] | undefined {
  const own = principal.tags ?? [];
  if (asked.length + used.length + own.length === 0) return [];
  const tags = new Set([...asked, ...used, ...own]);
  if (tags.size > MAX_TAGS || [...tags].some((tag) => tag.length > LONGEST_TAG)) return undefined;
  return [...tags].map((tag) => ownTag(principal.tenantId, tag));
}
