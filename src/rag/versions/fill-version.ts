import type { ChunkIndex } from '../../ports/chunk-index.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId, type DocumentId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { indexRefOf, type Collection } from '../collections.ts';
import type { Documents, LiveDocument, PendingDocument, Place } from '../documents.ts';
import { createIndexDocuments, type IndexDocumentsDeps } from '../ingest/index-documents.ts';
import { parseMarkdown } from '../ingest/parse/markdown.ts';
import { documentTags } from '../tags.ts';
import type { IndexVersion, IndexVersions, Outdated } from './index-versions.ts';

export interface FillVersionDeps extends Omit<IndexDocumentsDeps, 'documents' | 'onDocumentsChanged'> {
  documents: Pick<Documents, 'live' | 'known'>;
  index: Pick<ChunkIndex, 'replace'>;
  versions: IndexVersions;
}

export interface FillWork {
  place: Place;
  collection: Collection;
  version: IndexVersion;
  /** The version has been empty when this process began to fill it: what is not in its books is not in it. */
  fresh: boolean;
  /** Where the collection's own turn is needed for a commit; the caller may have it already. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  principal: Principal;
  signal: AbortSignal;
}

export interface FillOutcome {
  indexed: number;
  failed: { id: DocumentId; reason: string }[];
  /** A reason that holds for every document: more of them need not be tried now. */
  stopped: boolean;
}

/** Most documents and code units of text that are read at once. */
const PAGE = { documents: 500, characters: 4_000_000 };

/**
 * Brings an index beside the live one up to date with the live documents, once through: what is new or changed since
 * it was last looked at is indexed into it and noted in its books. A commit takes the collection's turn and leaves
 * out what has changed or gone meanwhile, so that a deletion is never undone.
 *
 * @throws SekishoError storage_unavailable; caller_left where the work was aborted or the version is not to be filled
 *   any more.
 */
export function createFillVersion(deps: FillVersionDeps): (work: FillWork) => Promise<FillOutcome> {
  const { documents, versions } = deps;

  return async (work) => {
    const { place, collection, version, signal } = work;
    const told: FillOutcome = { indexed: 0, failed: [], stopped: false };
    const lengths = new Map<DocumentId, { hash: string; characters: number }>();

    const replace: ChunkIndex['replace'] = (ref, ids, rows, fresh) =>
      work.inTurn(async () => {
        const state = (await versions.find(collection, version.version))?.state;
        if (state !== 'building' && state !== 'returning') throw new SekishoError('caller_left');
        const now = await documents.known(place, ids);
        const kept = new Set(ids.filter((id) => now.get(id)?.hash === lengths.get(id)?.hash));
        // Who may find a document, and its metadata, may have been amended since it was read.
        const tags = await tagsNow(place, now, kept);
        const rowsKept = rows
          .filter(({ documentId }) => kept.has(documentId))
          .map((row) => ({ ...row, tags: tags.get(row.documentId) ?? row.tags }));
        await deps.index.replace(ref, [...kept], rowsKept, fresh);
        const chunks = new Map<DocumentId, number>();
        for (const { documentId } of rowsKept) chunks.set(documentId, (chunks.get(documentId) ?? 0) + 1);
        const held = [...kept].flatMap((id) => {
          const live = lengths.get(id);
          return live === undefined ? [] : [{ id, ...live, chunks: chunks.get(id) ?? 0 }];
        });
        await versions.record(collection, version.version, held);
        told.indexed += held.length;
      });

    async function tagsNow(
      at: Place,
      now: Awaited<ReturnType<Documents['known']>>,
      ids: ReadonlySet<DocumentId>,
    ): Promise<Map<DocumentId, string[]>> {
      const amended = [...ids].filter((id) => now.get(id)?.amended === true);
      const live = amended.length === 0 ? [] : await documents.live(at, amended);
      return new Map(live.map((document) => [document.id, documentTags(document)]));
    }

    const indexDocuments = createIndexDocuments({
      ...deps,
      index: { replace },
      documents: {
        publish: () => Promise.resolve(),
        fail: (_, failures) => {
          told.failed.push(...failures.map(({ id, reason }) => ({ id, reason })));
          return Promise.resolve();
        },
      },
      onDocumentsChanged: () => Promise.resolve(),
    });

    async function indexPage(page: readonly Outdated[]): Promise<void> {
      const wanted = new Map(page.map((each) => [each.id, each]));
      const live = await documents.live(
        place,
        page.map(({ id }) => id),
      );
      lengths.clear();
      for (const { id, hash, text } of live) lengths.set(id, { hash, characters: text.length });
      const isNew = ({ id }: LiveDocument): boolean => work.fresh && wanted.get(id)?.held === null;
      for (const fresh of [true, false]) {
        const part = live.filter((document) => isNew(document) === fresh).map(asAccepted);
        if (part.length === 0 || told.stopped) continue;
        const outcome = await indexDocuments({
          place,
          ref: indexRefOf(collection, version.version),
          embeddingRoute: version.settings.embeddingRoute,
          chunker: version.settings.chunker,
          documents: part,
          fresh,
          principal: work.principal,
          requestId: newId('req'),
          signal,
        });
        told.stopped = outcome.stopped;
      }
    }

    for (let after: DocumentId | undefined = ''; after !== undefined;) {
      const found = await versions.outdated(collection, version.version, after);
      for (const page of pagesOf(found.outdated)) {
        if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
        await indexPage(page);
        if (told.stopped) return told;
      }
      after = found.last;
      // A long walk through books in which nothing is to do lets others in.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return told;
  };
}

function asAccepted(document: LiveDocument): PendingDocument {
  if (document.headings !== null) return { ...document, headings: document.headings };
  const { text, headings } = parseMarkdown(document.text);
  // The parser counts from after a front matter, which stays part of the stored text.
  const shift = document.text.length - text.length;
  return { ...document, headings: headings.map((heading) => ({ ...heading, start: heading.start + shift })) };
}

function* pagesOf(outdated: readonly Outdated[]): Generator<Outdated[]> {
  let page: Outdated[] = [];
  let characters = 0;
  for (const each of outdated) {
    page.push(each);
    characters += each.characters;
    if (page.length < PAGE.documents && characters < PAGE.characters) continue;
    yield page;
    page = [];
    characters = 0;
  }
  if (page.length > 0) yield page;
}
