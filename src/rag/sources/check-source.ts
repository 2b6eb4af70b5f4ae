import { SekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { Documents } from '../documents.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import type { SourceItems } from './source-items.ts';
import type { StoredSource } from './source-store.ts';

/** The first ids that are not where they should be, and how many should. */
export type SourceCheck = { expected: number; missing: DocumentId[] };

const PAGE = 1_000;
const MAX_TOLD = 100;

/**
 * Whether every document that the source has put into the collection is there and in its index. What is not is
 * told, the first of it, and fetched and written again by the next run.
 */
export async function checkSource(
  deps: { items: SourceItems; documents: Pick<Documents, 'known'>; ingest: Pick<Ingest, 'check'> },
  source: StoredSource,
): Promise<SourceCheck> {
  const place = { tenantId: source.tenantId, collection: source.collection };
  const notIndexed = new Set(await missingIn(deps.ingest, place));
  const missing: DocumentId[] = [];
  let expected = 0;
  for (let after = ''; ;) {
    const page = await deps.items.expected(source, { after, limit: PAGE });
    if (page.length === 0) return { expected, missing };
    after = page.at(-1)?.document ?? '';
    expected += page.length;
    const live = await deps.documents.known(
      place,
      page.map(({ document }) => document),
    );
    const lost = page.filter(({ document }) => live.get(document)?.unfinished !== false || notIndexed.has(document));
    await deps.items.doubt(
      source,
      lost.map(({ key }) => key),
    );
    missing.push(...lost.map(({ document }) => document).slice(0, MAX_TOLD - missing.length));
  }
}

async function missingIn(ingest: Pick<Ingest, 'check'>, place: { tenantId: `ten_${string}`; collection: string }) {
  try {
    return (await ingest.check(place)).missing;
  } catch (thrown) {
    if (thrown instanceof SekishoError && thrown.code === 'collection_not_found') return [];
    throw thrown;
  }
}
