import type { Collections } from './collections.ts';
import type { OnDocumentsChanged } from './forget-answers.ts';

/**
 * Tells of changes under both names of a collection: answers are kept under what it is filed under, vectors under
 * what it is called. They differ where it was renamed.
 */
export function createForgetCollection(deps: {
  collections: Pick<Collections, 'idOf'>;
  forget: OnDocumentsChanged;
}): OnDocumentsChanged {
  return async (tenantId, name, documents) => {
    const id = await deps.collections.idOf(tenantId, name).catch(() => undefined);
    if (id !== undefined && id !== name) await deps.forget(tenantId, id, documents);
    await deps.forget(tenantId, name, documents);
  };
}
