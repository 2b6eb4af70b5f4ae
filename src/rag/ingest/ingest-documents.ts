import type { ChunkIndex, IndexRef } from '../../ports/chunk-index.ts';
import { defaultCollectionSettings } from '../../spec/collection.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId, type CollectionName, type DocumentId, type RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { indexRefOf, type Collection, type Collections } from '../collections.ts';
import type { Documents, PendingDocument, Place } from '../documents.ts';
import { processPrincipal } from '../process-principal.ts';
import { indexFingerprint } from '../versions/index-fingerprint.ts';
import { acceptDocument, type AcceptedDocument, type NewDocument } from './accept-document.ts';
import {
  createIndexDocuments,
  type FailedDocument,
  type IndexDocumentsDeps,
  type IndexWork,
} from './index-documents.ts';
import { createPause } from './pause.ts';
import { createInTurn, type InTurn } from './serial.ts';

export interface IngestRequest {
  principal: Principal;
  collection: CollectionName;
  documents: readonly NewDocument[];
  /** Aborted when whoever asked has left: nothing more is accepted then, what has been accepted is finished. */
  signal: AbortSignal;
  requestId: RequestId;
  onProgress?: (done: number, total: number) => void;
}

/** documents = indexed + unchanged + failed. */
export interface IngestOutcome {
  indexed: number;
  unchanged: number;
  failed: FailedDocument[];
  chunks: number;
}

export interface Ingest {
  /**
   * Indexes documents. Every one is judged before the first is stored; from then on they survive the death of
   * the process, and what could not be indexed is tried again at the next start. An id may come once.
   * @throws SekishoError invalid_request, fingerprint_mismatch, conflict, storage_unavailable, caller_left.
   */
  index(request: IngestRequest): Promise<IngestOutcome>;
  /** Deletes documents with everything made from them. @throws SekishoError document_not_found for an unknown one. */
  remove(place: Place, ids: readonly DocumentId[]): Promise<void>;
  removeCollection(place: Place): Promise<void>;
  /**
   * Finishes what an earlier process accepted: pending versions and deletions. Where the index is not what this
   * software makes, pending versions wait for the one that is.
   */
  resume(signal: AbortSignal): Promise<{ indexed: number; failed: number; deleted: number }>;
  /** The same for one collection: to be called when its index has been replaced. */
  resumeCollection(place: Place, signal: AbortSignal): Promise<{ indexed: number; failed: number; deleted: number }>;
  /** Compares documents and index: ids that only one of them knows. Both lists are empty in a sound collection. */
  check(place: Place): Promise<{ orphans: DocumentId[]; missing: DocumentId[] }>;
}

export interface IngestDeps extends IndexDocumentsDeps {
  collections: Collections;
  documents: Documents;
  index: ChunkIndex;
  /** Model for new collections, and what identifies each embedding model for good. */
  embeddingRoute: string;
  fingerprintOf: (embeddingRoute: string) => string;
  /** Runs work of one collection one after the other; shared with everything else that writes to collections. */
  inTurn?: InTurn;
  /** Brings an index that was made otherwise up to what the software makes; without it such a collection is refused. */
  upgrade?: (place: Place, signal: AbortSignal) => Promise<void>;
  /** Told, before documents are deleted, of the indexes that they are deleted in. */
  onDeleting?: (refs: readonly IndexRef[]) => Promise<void>;
}

/** Most documents and code units of text per page of a resume. */
const PAGE = { documents: 500, characters: 4_000_000 };
/** And per transaction in which they are accepted: others wait for it. */
const ACCEPTED_AT_ONCE = { documents: 100, characters: 1_000_000 };

/**
 * The way of a document into a collection: its text is stored as pending first (that is the acknowledgement),
 * then indexed, and last made the live version. After a crash at any point the pending version is indexed again
 * in place of whatever of it is in the index.
 */
export function createIngest(deps: IngestDeps): Ingest {
  const { collections, documents, index } = deps;
  const indexDocuments = createIndexDocuments(deps);
  const pause = createPause();
  // Two writers of one collection would publish one version and index the other.
  const inTurn = deps.inTurn ?? createInTurn();
  const isOutdated = ({ settings, fingerprint }: Collection): boolean =>
    indexFingerprint(deps, settings.index) !== fingerprint;

  async function ensureCollection({ tenantId, collection: name }: Place): Promise<Collection> {
    const existing = await collections.get(tenantId, name);
    const index = existing?.settings.index ?? defaultCollectionSettings(deps.embeddingRoute).index;
    const fingerprint = indexFingerprint(deps, index);
    return collections.ensure({ tenantId, name, embeddingRoute: index.embeddingRoute, fingerprint });
  }

  /**
   * Does the work in the collection's turn, once its index is what the software makes. To make it so needs turns of
   * its own, so the work's turn is given back for it.
   */
  async function inTurnUpgraded<T>(place: Place, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const done = await inTurn(place, async () => {
        const existing = deps.upgrade && (await collections.get(place.tenantId, place.collection));
        return existing !== undefined && isOutdated(existing) ? undefined : { result: await work() };
      });
      if (done !== undefined) return done.result;
      await deps.upgrade?.(place, signal);
    }
  }

  /** Stores what is new or changed, and tells which of it has never been in the index. */
  async function accept(place: Place, incoming: readonly AcceptedDocument[], signal: AbortSignal) {
    const ids = incoming.map((document) => document.id);
    const known = await documents.known(place, ids);
    const changed = incoming.flatMap((document): PendingDocument[] => {
      const have = known.get(document.id);
      if (have !== undefined && !have.unfinished && !have.amended && have.hash === document.hash) return [];
      // What does not tell who may find it leaves that as it was.
      return [{ ...document, access: document.access === undefined ? (have?.access ?? null) : document.access }];
    });
    for (const page of pagesOf(changed)) {
      if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
      await documents.accept(place, page);
      await pause(page.reduce((sum, { text }) => sum + text.length, 0));
    }
    return {
      fresh: changed.filter((document) => !known.has(document.id)),
      rest: changed.filter((document) => known.has(document.id)),
    };
  }

  /** Out of every index of the collection, whichever is live one day. */
  async function removeNow(place: Place, collection: Collection, ids: readonly DocumentId[]): Promise<void> {
    const refs = await collections.indexRefs(collection);
    await deps.onDeleting?.(refs);
    for (const ref of refs) await index.replace(ref, ids, [], false);
    await deps.onDocumentsChanged(place.tenantId, place.collection, ids);
    await documents.remove(place, ids);
  }

  /** A collection whose deletion has not come to its end, because a store failed. */
  async function leftOver({ tenantId, collection: name }: Place): Promise<Collection | undefined> {
    if ((await collections.get(tenantId, name)) !== undefined) return undefined;
    return (await collections.unfinishedDeletions()).find((each) => each.tenantId === tenantId && each.name === name);
  }

  async function dropNow(place: Place, collection: Collection): Promise<void> {
    const refs = await collections.indexRefs(collection);
    await deps.onDeleting?.(refs);
    for (const ref of refs) await index.drop(ref);
    await deps.onDocumentsChanged(place.tenantId, place.collection, 'all');
    await collections.forget(place.tenantId, place.collection);
  }

  async function resumeIn(place: Place, collection: Collection, signal: AbortSignal) {
    const gone = await documents.deleting(place);
    if (gone.length > 0) await removeNow(place, collection, gone);
    const told = { indexed: 0, failed: 0, deleted: gone.length };
    // What waits to be indexed waits for an index that is made as this software would; see Versions.resume.
    if (isOutdated(collection)) return told;
    const origin = { principal: processPrincipal(place.tenantId), requestId: newId('req'), signal };
    for (let after = ''; ;) {
      const page = await documents.pending(place, { after, ...PAGE });
      if (page.length === 0) return told;
      after = page.at(-1)?.id ?? '';
      const outcome = await indexDocuments({ ...workOf(place, collection, origin), documents: page, fresh: false });
      told.indexed += outcome.indexed;
      told.failed += outcome.failed.length;
      if (outcome.stopped) return told;
    }
  }

  const resumeCollection: Ingest['resumeCollection'] = (place, signal) =>
    inTurn(place, async () => {
      const collection = await collections.get(place.tenantId, place.collection);
      return collection === undefined ? { indexed: 0, failed: 0, deleted: 0 } : resumeIn(place, collection, signal);
    });

  return {
    index: async (request) => {
      const place: Place = { tenantId: request.principal.tenantId, collection: request.collection };
      const incoming: ReturnType<typeof acceptDocument>[] = [];
      for (const document of request.documents) {
        incoming.push(acceptDocument(document));
        const turn = pause(document.content.length);
        // Small requests come into the collection's turn in the order in which they were made.
        if (turn !== undefined) await turn;
      }
      refuseRepeated(incoming);
      return inTurnUpgraded(place, request.signal, async () => {
        const collection = await ensureCollection(place);
        const { fresh, rest } = await accept(place, incoming, request.signal);
        const total = fresh.length + rest.length;
        const report = request.onProgress;
        // What has been accepted is finished, whether or not the caller waits for it.
        const signal = new AbortController().signal;
        const work = workOf(place, collection, { ...request, signal });
        const first = await indexDocuments({
          ...work,
          documents: fresh,
          fresh: true,
          ...(report && { onProgress: (done: number) => report(done, total) }),
        });
        const second = await indexDocuments({
          ...work,
          documents: rest,
          fresh: false,
          ...(report && { onProgress: (done: number) => report(fresh.length + done, total) }),
        });
        return {
          indexed: first.indexed + second.indexed,
          unchanged: incoming.length - total,
          failed: [...first.failed, ...second.failed],
          chunks: first.chunks + second.chunks,
        };
      });
    },

    remove: (place, ids) =>
      inTurn(place, async () => {
        const collection = await collections.require(place.tenantId, place.collection);
        const marked = await documents.markDeleting(place, ids);
        if (marked === 0) {
          const values = { collection: place.collection, document: (ids[0] ?? '').slice(0, 200) };
          throw new SekishoError('document_not_found', { values });
        }
        await removeNow(place, collection, ids);
      }),

    removeCollection: (place) =>
      inTurn(place, async () => {
        const left = await leftOver(place);
        const collection = left ?? (await collections.require(place.tenantId, place.collection));
        await collections.markDeleting(place.tenantId, place.collection);
        await dropNow(place, collection);
      }),

    resume: async (signal) => {
      const told = { indexed: 0, failed: 0, deleted: 0 };
      for (const gone of await collections.unfinishedDeletions()) {
        const place = { tenantId: gone.tenantId, collection: gone.name };
        await inTurn(place, () => dropNow(place, gone));
      }
      for (const place of await documents.unfinishedPlaces()) {
        const { indexed, failed, deleted } = await resumeCollection(place, signal);
        told.indexed += indexed;
        told.failed += failed;
        told.deleted += deleted;
      }
      return told;
    },

    resumeCollection,

    check: async (place) => {
      const collection = await collections.require(place.tenantId, place.collection);
      const [indexed, live] = await Promise.all([index.documentIds(indexRefOf(collection)), documents.liveIds(place)]);
      return {
        orphans: [...indexed].filter((id) => !live.has(id)),
        missing: [...live].filter((id) => !indexed.has(id)),
      };
    },
  };
}

function workOf(
  place: Place,
  collection: Collection,
  { principal, requestId, signal }: Pick<IngestRequest, 'principal' | 'requestId' | 'signal'>,
): Omit<IndexWork, 'documents' | 'fresh' | 'onProgress'> {
  return {
    place,
    ref: indexRefOf(collection),
    embeddingRoute: collection.embeddingRoute,
    chunker: collection.settings.index.chunker,
    // The collection decides which model embeds it, whichever routes the key may call directly.
    principal: { ...principal, allowedRoutes: [] },
    requestId,
    signal,
  };
}

function* pagesOf(documents: readonly PendingDocument[]): Generator<PendingDocument[]> {
  let page: PendingDocument[] = [];
  let characters = 0;
  for (const document of documents) {
    page.push(document);
    characters += document.text.length;
    if (page.length < ACCEPTED_AT_ONCE.documents && characters < ACCEPTED_AT_ONCE.characters) continue;
    yield page;
    page = [];
    characters = 0;
  }
  if (page.length > 0) yield page;
}

function refuseRepeated(documents: readonly AcceptedDocument[]): void {
  const seen = new Set<DocumentId>();
  for (const { id } of documents) {
    if (seen.has(id)) {
      const problem = `documents: the id "${id.slice(0, 100)}" comes twice`;
      throw new SekishoError('invalid_request', { values: { problem }, param: 'documents' });
    }
    seen.add(id);
  }
}
