import type { ModelGateway } from '../../gateway/model-call.ts';
import type { ChunkIndex, ChunkRow, IndexRef } from '../../ports/chunk-index.ts';
import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { ChunkerSettings } from '../../spec/collection.ts';
import { SekishoError, toSekishoError, type ErrorCode } from '../../spec/errors.ts';
import type { DocumentId, RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { collectionTag, documentInTag } from '../answer-tags.ts';
import { chunkIdOf, type Documents, type PendingDocument, type Place } from '../documents.ts';
import type { OnDocumentsChanged } from '../forget-answers.ts';
import { documentTags } from '../tags.ts';
import { createPause } from './pause.ts';
import { searchableText, type PreparedChunk } from './prepare-document.ts';
import { createPrepareDocuments, type PrepareDocumentsDeps } from './prepare-documents.ts';

export interface IndexDocumentsDeps extends PrepareDocumentsDeps {
  documents: Pick<Documents, 'publish' | 'fail'>;
  index: Pick<ChunkIndex, 'replace'>;
  analyser: TextAnalyser;
  gateway: Pick<ModelGateway, 'embed'>;
  onDocumentsChanged: OnDocumentsChanged;
  /** Told of what kept documents from being indexed; what is said to the caller leaves out causes. */
  onFailed?: (requestId: RequestId, error: SekishoError) => void;
}

/** Accepted versions of one collection that are to be indexed now. */
export interface IndexWork {
  place: Place;
  ref: IndexRef;
  embeddingRoute: string;
  chunker: ChunkerSettings;
  documents: readonly PendingDocument[];
  /** None of the documents has ever been in the index. */
  fresh: boolean;
  principal: Principal;
  requestId: RequestId;
  signal: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Why a document was not indexed; retryable where the same may succeed later. */
export interface FailedDocument {
  id: DocumentId;
  reason: string;
  retryable?: true;
}

/** documents = indexed + failed. */
export interface IndexOutcome {
  indexed: number;
  chunks: number;
  failed: FailedDocument[];
  /** True where a reason holds for every document, so that more of them need not be tried now. */
  stopped: boolean;
}

/** Chunks per embedding call and, about, per commit of the index. */
const BATCH_CHUNKS = 512;
/** Batches under way: the index commits one on its threads while the next is embedded and those after it are cut. */
const BATCHES_AT_ONCE = 2;
const PUBLISHED_AT_ONCE = 100;
/** What may be the fault of one text, so that the others of its batch can still be indexed. */
const ONE_TEXT: ReadonlySet<ErrorCode> = new Set([
  'context_too_long',
  'content_refused',
  'upstream_rejected',
  'invalid_request',
  'internal',
]);

/** A document that has been cut. */
interface Cut {
  document: PendingDocument;
  chunks: PreparedChunk[];
}

/**
 * Cuts, tokenises and embeds documents, puts them into the index a batch per commit and makes them the live
 * versions. A batch that fails by the fault of one text is halved until that one is alone; what would fail every
 * document (an embedding model that cannot be reached, a budget that is used up) fails the rest at once. Failed
 * versions stay pending.
 * @throws SekishoError storage_unavailable, caller_left; what is not yet indexed stays pending.
 */
export function createIndexDocuments(deps: IndexDocumentsDeps): (work: IndexWork) => Promise<IndexOutcome> {
  const prepare = createPrepareDocuments(deps);
  const pause = createPause();

  /** One vector per text, a batch per call. */
  async function embed(
    texts: readonly string[],
    work: IndexWork,
    documentOf?: (index: number) => DocumentId | undefined,
  ): Promise<Float32Array[]> {
    const { collection } = work.place;
    const tagsAt = (index: number): string[] => {
      const id = documentOf?.(index);
      return id === undefined ? [] : [documentInTag(collection, id)];
    };
    const vectors: Float32Array[] = [];
    for (let from = 0; from < texts.length; from += BATCH_CHUNKS) {
      const input = texts.slice(from, from + BATCH_CHUNKS);
      const { answer } = await deps.gateway.embed({
        requestId: work.requestId,
        principal: work.principal,
        route: work.embeddingRoute,
        signal: work.signal,
        cacheTags: [collectionTag(collection)],
        // What is kept of a document goes with it; what cannot be told to be of one is not kept.
        ...(documentOf === undefined
          ? { cache: { wish: 'bypass' as const } }
          : { inputTags: input.map((_, at) => tagsAt(from + at)) }),
        request: { input, purpose: 'document' },
      });
      const made = answer.result().vectors;
      if (made.length !== input.length) {
        throw new SekishoError('upstream_broken', { values: { target: work.embeddingRoute } });
      }
      for (const vector of made) vectors.push(vector);
    }
    return vectors;
  }

  async function rowsOf(batch: readonly Cut[], work: IndexWork): Promise<ChunkRow[]> {
    const entries = batch.flatMap(({ document, chunks }) => {
      const tags = documentTags(document);
      return chunks.map((chunk, ordinal) => ({ document, chunk, ordinal, tags }));
    });
    const vectors = await embed(
      entries.map(({ document: { title, text }, chunk: { headingPath, start, end } }) =>
        searchableText(title, { headingPath, content: text.slice(start, end) }),
      ),
      work,
      (at) => entries[at]?.document.id,
    );
    return entries.flatMap(({ document, chunk, ordinal, tags }, at): ChunkRow[] => {
      const vector = vectors[at];
      if (vector === undefined) return [];
      const chunkId = chunkIdOf(document.id, document.hash, ordinal);
      return [{ ...chunk, chunkId, documentId: document.id, ordinal, vector, tags }];
    });
  }

  /** Makes the versions the live ones, some at a time: others wait for each transaction. */
  async function publish(place: Place, batch: readonly Cut[]): Promise<void> {
    for (let from = 0; from < batch.length; from += PUBLISHED_AT_ONCE) {
      const some = batch.slice(from, from + PUBLISHED_AT_ONCE);
      await deps.documents.publish(
        place,
        some.map(({ document: { id, hash }, chunks }) => ({ id, hash, chunks: chunks.length })),
      );
      await pause(some.reduce((sum, { document }) => sum + document.text.length, 0));
    }
  }

  return async (work) => {
    const { place, documents, chunker } = work;
    const outcome: IndexOutcome = { indexed: 0, chunks: 0, failed: [], stopped: false };
    let stop: SekishoError | undefined;
    let done = 0;
    /** Batches under way never reject: what one threw is kept until the others have ended. */
    const thrown: unknown[] = [];

    async function fail(failing: readonly PendingDocument[], error: SekishoError): Promise<void> {
      const failures = failing.map(({ id, hash }) => ({ id, hash, reason: error.message }));
      await deps.documents.fail(place, failures);
      const retryable = error.retryable && { retryable: true as const };
      outcome.failed.push(...failures.map(({ id, reason }) => ({ id, reason, ...retryable })));
      deps.onFailed?.(work.requestId, error);
    }

    async function failAlone(document: PendingDocument, error: SekishoError): Promise<void> {
      if (endsWork(error)) return void thrown.push(error);
      if (!ONE_TEXT.has(error.code)) stop ??= error;
      await fail([document], error);
      done++;
    }

    async function commit(batch: readonly Cut[], fresh: boolean): Promise<void> {
      try {
        const rows = await rowsOf(batch, work);
        const ids = batch.map(({ document }) => document.id);
        await deps.index.replace(work.ref, ids, rows, fresh);
        // What comes into the index for the first time has been in no answer, and may be wanted in some.
        await deps.onDocumentsChanged(place.tenantId, place.collection, work.fresh ? 'new' : ids);
        await publish(place, batch);
        outcome.indexed += batch.length;
        outcome.chunks += rows.length;
      } catch (thrown) {
        const error = toSekishoError(thrown);
        if (endsWork(error)) throw error;
        if (!ONE_TEXT.has(error.code)) stop ??= error;
        if (stop === undefined && batch.length > 1) {
          // The failed commit may have left rows: what follows is not the first of its documents any more.
          await commit(batch.slice(0, batch.length >> 1), false);
          await commit(batch.slice(batch.length >> 1), false);
          return;
        }
        await fail(
          batch.map(({ document }) => document),
          stop ?? error,
        );
      }
    }

    const underWay = new Set<Promise<void>>();
    const begin = (batch: readonly Cut[]): void => {
      const running = commit(batch, work.fresh)
        .then(() => {
          done += batch.length;
          work.onProgress?.(done, documents.length);
        })
        .catch((error: unknown) => {
          thrown.push(error);
        })
        .finally(() => underWay.delete(running));
      underWay.add(running);
    };

    let batch: Cut[] = [];
    let waiting = 0;
    let seen = 0;
    for await (const group of prepare(documents, { chunker, embed: (texts) => embed(texts, work) })) {
      for (const each of group) {
        seen++;
        if ('error' in each) {
          await failAlone(each.document, each.error);
          continue;
        }
        batch.push(each);
        waiting += each.chunks.length;
        if (waiting < BATCH_CHUNKS) continue;
        while (underWay.size >= BATCHES_AT_ONCE) await Promise.race(underWay);
        begin(batch);
        batch = [];
        waiting = 0;
      }
      if (stop === undefined && thrown.length === 0) continue;
      if (stop !== undefined) await fail([...batch.map(({ document }) => document), ...documents.slice(seen)], stop);
      batch = [];
      break;
    }
    if (batch.length > 0) begin(batch);
    await Promise.all(underWay);
    if (thrown.length > 0) throw toSekishoError(thrown[0]);
    outcome.stopped = stop !== undefined;
    return outcome;
  };
}

/** Whether the error says nothing of the documents: they stay pending. */
function endsWork({ code }: SekishoError): boolean {
  return code === 'storage_unavailable' || code === 'caller_left';
}
