import type { IndexFilter, TagRange } from '../../ports/chunk-index.ts';
import type { DocumentId } from '../../spec/ids.ts';

/** Whether the index finds the chunks of a document by a filter: what a search does, for one document, in memory. */
export function matchesFilter(filter: IndexFilter, document: { id: DocumentId; tags: readonly string[] }): boolean {
  if ('anyTag' in filter) return filter.anyTag.some((tag) => document.tags.includes(tag));
  if ('documentIds' in filter) return filter.documentIds.includes(document.id);
  if ('tagRange' in filter) return document.tags.some((tag) => within(tag, filter.tagRange));
  if ('not' in filter) return !matchesFilter(filter.not, document);
  if ('and' in filter) return filter.and.every((part) => matchesFilter(part, document));
  return filter.or.some((part) => matchesFilter(part, document));
}

function within(tag: string, { prefix, gt, gte, lt, lte }: TagRange): boolean {
  if (!tag.startsWith(prefix)) return false;
  const rest = tag.slice(prefix.length);
  return (
    (gt === undefined || order(rest, gt) > 0) &&
    (gte === undefined || order(rest, gte) >= 0) &&
    (lt === undefined || order(rest, lt) < 0) &&
    (lte === undefined || order(rest, lte) <= 0)
  );
}

/** The order of code points, which is that of UTF-8 and not that of this language's comparison. */
function order(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
