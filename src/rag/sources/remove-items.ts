import { SekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { Place } from '../documents.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import type { Source } from './source.ts';
import type { SourceItems } from './source-items.ts';

/** Removes items with their documents: the documents first, so that what is cut off is found again. */
export async function removeItems(
  deps: { items: SourceItems; ingest: Pick<Ingest, 'remove'> },
  source: Pick<Source, 'tenantId' | 'id' | 'collection'>,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  const place = { tenantId: source.tenantId, collection: source.collection };
  await removeDocuments(deps, place, await deps.items.documentsOf(source, keys));
  await deps.items.forget(source, keys);
}

/** Removes documents; those that are not there are no problem, nor is a collection that is not. */
export async function removeDocuments(
  { ingest }: { ingest: Pick<Ingest, 'remove'> },
  place: Place,
  ids: readonly DocumentId[],
): Promise<void> {
  if (ids.length === 0) return;
  try {
    await ingest.remove(place, ids);
  } catch (thrown) {
    const absent = ['document_not_found', 'collection_not_found'];
    if (!(thrown instanceof SekishoError) || !absent.includes(thrown.code)) throw thrown;
  }
}
