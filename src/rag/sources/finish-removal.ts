import { newId } from '../../spec/ids.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import { removeDocuments } from './remove-items.ts';
import type { SourceItems } from './source-items.ts';
import type { SourceStore, StoredSource } from './source-store.ts';

const PAGE = 200;
const LEASE_MS = 60_000;

/**
 * Removes the documents of a source that is being deleted, and then the source. Where a run still has it, nothing
 * is done yet: the run gives up, and this is called again.
 */
export function createFinishRemoval(deps: {
  store: SourceStore;
  items: SourceItems;
  ingest: Pick<Ingest, 'remove'>;
}): (source: StoredSource) => Promise<void> {
  const { store, items } = deps;
  return async (source) => {
    const place = { tenantId: source.tenantId, collection: source.collection };
    if (!(await store.lease(source, newId('srun'), LEASE_MS))) return;
    for (;;) {
      const documents = await items.documents(source, PAGE);
      if (documents.length === 0) return store.remove(source);
      await removeDocuments(deps, place, documents);
      await items.forgetDocuments(source, documents);
    }
  };
}
