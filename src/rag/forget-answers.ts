import type { CacheAdmin, Invalidation } from '../gateway/cache/cache-admin.ts';
import type { CollectionName, DocumentId, TenantId } from '../spec/ids.ts';
import { collectionTag, documentInTag, everyAnswerTag, unansweredTag } from './answer-tags.ts';

/**
 * Told of documents whose live version was replaced or deleted, before the change is noted as done: what a crash
 * cuts off is told again. With 'all' the whole collection is gone, with 'new' it has documents that it had not. Never
 * rejects.
 */
export type OnDocumentsChanged = (
  tenantId: TenantId,
  collection: CollectionName,
  documents: readonly DocumentId[] | 'all' | 'new',
) => Promise<void>;

/** Documents that are forgotten at once; a store that does not answer is waited for once per group. */
const AT_ONCE = 100;

/**
 * Forgets the kept answers that used documents. Where the shared store does not answer, this process has forgotten
 * all the same, and `onProblem` is told, once; the rest of the documents is not left out for it.
 */
export function createForgetAnswers(deps: {
  cache: Pick<CacheAdmin, 'invalidate'>;
  onProblem: (error: unknown) => void;
}): OnDocumentsChanged {
  return async (tenantId, collection, documents) => {
    const selections: Invalidation[] =
      documents === 'all'
        ? [{ tag: collectionTag(collection) }]
        : documents === 'new'
          ? [{ tag: everyAnswerTag(collection) }]
          : [...documents.map((id) => ({ tag: documentInTag(collection, id) })), { tag: unansweredTag(collection) }];
    const problems: unknown[] = [];
    for (let from = 0; from < selections.length; from += AT_ONCE) {
      const group = selections.slice(from, from + AT_ONCE);
      const done = await Promise.allSettled(group.map((selection) => deps.cache.invalidate(tenantId, selection)));
      problems.push(...done.flatMap((each) => (each.status === 'rejected' ? [each.reason] : [])));
    }
    if (problems.length > 0) deps.onProblem(problems[0]);
  };
}
