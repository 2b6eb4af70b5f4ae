import { createHash } from 'node:crypto';
import type { ModelGateway } from '../../gateway/model-call.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ChunkIndex, ChunkRow, IndexRef } from '../../ports/chunk-index.ts';
import type { TextAnalyser } from '../../ports/text-analyser.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import { newId, type CollectionName, type DocumentId, type RequestId, type TenantId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import type { Collection, Collections } from '../collections.ts';
import { chunkIdOf, type Documents, type Heading, type PendingDocument, type Place } from '../documents.ts';
import { tagsOf } from '../tags.ts';
import { chunkText, CHUNKER_ID, type TextChunk } from './chunk.ts';
import { parseMarkdown } from './parse/markdown.ts';
import { createSerial } from './serial.ts';

/** A document as it comes in; without headings its text is read as Markdown to find some. */
export interface NewDocument {
  id?: DocumentId;
  title?: string;
  content: string;
  metadata?: JsonObject;
  headings?: Heading[];
}

export interface IngestRequest {
  principal: Principal;
  collection: CollectionName;
  documents: readonly NewDocument[];
  signal: AbortSignal;
  requestId: RequestId;
  onProgress?: (done: number, total: number) => void;
}

/** accepted = indexed + unchanged + failed. */
export interface IngestOutcome {
  indexed: number;
  unchanged: number;
  failed: { id: DocumentId; reason: string }[];
  chunks: number;
}

export interface Ingest {
  /** Indexes documents; what has been accepted survives the death of the process and is finished at the next start. */
  index(request: IngestRequest): Promise<IngestOutcome>;
  /** Deletes documents with everything made from them. @throws SekishoError document_not_found for an unknown one. */
  remove(place: Place, ids: readonly DocumentId[]): Promise<void>;
  removeCollection(place: Place): Promise<void>;
  /** Finishes what an earlier process accepted: pending versions and deletions. */
  resume(signal: AbortSignal): Promise<{ indexed: number; failed: number; deleted: number }>;
  /** Compares documents and index: ids that only one of them knows. Both lists are empty in a sound collection. */
  check(place: Place): Promise<{ orphans: DocumentId[]; missing: DocumentId[] }>;
}

export interface IngestDeps {
  collections: Collections;
  documents: Documents;
  index: ChunkIndex;
  analyser: TextAnalyser;
  countTokens: (text: string) => number;
  gateway: Pick<ModelGateway, 'embed'>;
  /** Model for new collections, and what identifies each embedding model for good. */
  embeddingRoute: string;
  fingerprintOf: (embeddingRoute: string) => string;
}

/** Chunks per embedding call and, about, per commit of the index. */
const BATCH_CHUNKS = 512;
/** Pending documents taken into memory at once by a resume. */
const RESUME_PAGE = 200;
const MAX_TEXT = 10_000_000;
const MAX_ID = 512;
const MAX_METADATA = 64 * 1024;
const FORBIDDEN_KEY = /"(?:__proto__|constructor|prototype)"\s*:/;

interface Prepared {
  document: PendingDocument;
  chunks: TextChunk[];
}

/**
 * The way of a document into a collection: its text is stored as pending first (that is the acknowledgement),
 * then cut, tokenised, embedded and put into the index, a batch of documents per commit, and last made the
 * live version. After a crash at any point the pending version is indexed again in place of whatever of it
 * is in the index.
 */
export function createIngest(deps: IngestDeps): Ingest {
  const { collections, documents, index } = deps;
  // Two writers of one collection would publish one version and index the other.
  const serial = createSerial();
  const inTurn = <T>(place: Place, work: () => Promise<T>): Promise<T> =>
    serial(`${place.tenantId}\n${place.collection}`, work);

  async function indexBatch(place: Place, batch: readonly Prepared[], options: BatchOptions): Promise<void> {
    const rows = await rowsOf(batch, options);
    const ids = batch.map(({ document }) => document.id);
    await index.replace(options.ref, ids, rows, options.fresh);
    await documents.publish(
      place,
      batch.map(({ document, chunks }) => ({ id: document.id, hash: document.hash, chunks: chunks.length })),
    );
  }

  async function rowsOf(batch: readonly Prepared[], options: BatchOptions): Promise<ChunkRow[]> {
    const entries = batch.flatMap(({ document, chunks }) =>
      chunks.map((chunk, ordinal) => ({ document, chunk, ordinal })),
    );
    const texts = entries.map(({ document, chunk }) => searchable(document.title, chunk));
    const vectors: Float32Array[] = [];
    for (let from = 0; from < texts.length; from += BATCH_CHUNKS) {
      const { answer } = await deps.gateway.embed({
        requestId: options.requestId,
        principal: options.principal,
        route: options.collection.embeddingRoute,
        signal: options.signal,
        request: { input: texts.slice(from, from + BATCH_CHUNKS), purpose: 'document' },
      });
      vectors.push(...answer.result().vectors);
    }
    return entries.map(({ document, chunk, ordinal }, place): ChunkRow => {
      const vector = vectors[place];
      if (vector === undefined) throw new SekishoError('internal', { cause: new Error('fewer vectors than texts') });
      return {
        chunkId: chunkIdOf(document.id, document.hash, ordinal),
        documentId: document.id,
        ordinal,
        start: chunk.start,
        end: chunk.end,
        headingPath: chunk.headingPath,
        terms: deps.analyser.terms(texts[place] ?? '').join(' '),
        vector,
        tags: tagsOf(document.metadata),
      };
    });
  }

  /** Indexes accepted versions batch by batch. A batch that fails is split until the document at fault is alone. */
  async function indexAll(
    place: Place,
    pending: readonly PendingDocument[],
    options: BatchOptions,
  ): Promise<IngestOutcome> {
    const outcome: IngestOutcome = { indexed: 0, unchanged: 0, failed: [], chunks: 0 };
    const attempt = async (batch: Prepared[]): Promise<void> => {
      try {
        await indexBatch(place, batch, options);
        outcome.indexed += batch.length;
        outcome.chunks += batch.reduce((sum, { chunks }) => sum + chunks.length, 0);
      } catch (thrown) {
        const error = toSekishoError(thrown);
        // What a store or a caller who left stops stays pending and is finished later.
        if (error.code === 'storage_unavailable' || error.code === 'caller_left') throw error;
        if (batch.length > 1) {
          await attempt(batch.slice(0, batch.length >> 1));
          await attempt(batch.slice(batch.length >> 1));
          return;
        }
        const failures = batch.map(({ document: { id, hash } }) => ({ id, hash, reason: error.message }));
        await documents.fail(place, failures);
        outcome.failed.push(...failures.map(({ id, reason }) => ({ id, reason })));
      }
    };
    let batch: Prepared[] = [];
    let waiting = 0;
    let done = 0;
    for (const document of pending) {
      const chunks = chunkText(document.text, document.headings, {
        sentences: deps.analyser.sentences,
        countTokens: deps.countTokens,
      });
      batch.push({ document, chunks });
      waiting += chunks.length;
      done++;
      if (waiting < BATCH_CHUNKS && done < pending.length) continue;
      await attempt(batch);
      options.onProgress?.(done, pending.length);
      batch = [];
      waiting = 0;
    }
    return outcome;
  }

  async function removeNow(place: Place, ref: IndexRef, ids: readonly DocumentId[]): Promise<void> {
    await index.replace(ref, ids, [], false);
    await documents.remove(place, ids);
  }

  return {
    index: async (request) => {
      const place: Place = { tenantId: request.principal.tenantId, collection: request.collection };
      const incoming = request.documents.map(pendingOf);
      refuseRepeated(incoming);
      const existing = await collections.get(place.tenantId, place.collection);
      const embeddingRoute = existing?.embeddingRoute ?? deps.embeddingRoute;
      const collection = await collections.ensure({
        tenantId: place.tenantId,
        name: place.collection,
        embeddingRoute,
        fingerprint: `${deps.fingerprintOf(embeddingRoute)} ${deps.analyser.id} ${CHUNKER_ID}`,
      });
      return inTurn(place, async () => {
        const known = await documents.known(
          place,
          incoming.map((document) => document.id),
        );
        const changed = incoming.filter((document) => {
          const have = known.get(document.id);
          return have === undefined || have.unfinished || have.hash !== document.hash;
        });
        await documents.accept(place, changed);
        const options: BatchOptions = { ...optionsOf(collection, request), fresh: false };
        const fresh = changed.filter((document) => !known.has(document.id));
        const rest = changed.filter((document) => known.has(document.id));
        const report = request.onProgress;
        const first = await indexAll(place, fresh, {
          ...options,
          fresh: true,
          ...(report && { onProgress: (done: number) => report(done, changed.length) }),
        });
        const second = await indexAll(place, rest, {
          ...options,
          ...(report && { onProgress: (done: number) => report(fresh.length + done, changed.length) }),
        });
        return {
          indexed: first.indexed + second.indexed,
          unchanged: incoming.length - changed.length,
          failed: [...first.failed, ...second.failed],
          chunks: first.chunks + second.chunks,
        };
      });
    },

    remove: async (place, ids) => {
      const collection = await collections.require(place.tenantId, place.collection);
      await inTurn(place, async () => {
        const marked = await documents.markDeleting(place, ids);
        if (marked === 0) {
          const values = { collection: place.collection, document: (ids[0] ?? '').slice(0, 200) };
          throw new SekishoError('document_not_found', { values });
        }
        await removeNow(place, refOf(collection), ids);
      });
    },

    removeCollection: async (place) => {
      const collection = await collections.require(place.tenantId, place.collection);
      await collections.markDeleting(place.tenantId, place.collection);
      await inTurn(place, async () => {
        await index.drop(refOf(collection));
        await collections.forget(place.tenantId, place.collection);
      });
    },

    resume: async (signal) => {
      const told = { indexed: 0, failed: 0, deleted: 0 };
      for (const ref of await collections.unfinishedDeletions()) {
        await index.drop(ref);
        await collections.forget(ref.tenantId, ref.collection);
      }
      for (const place of await documents.unfinishedPlaces()) {
        const collection = await collections.get(place.tenantId, place.collection);
        if (collection === undefined) continue;
        await inTurn(place, async () => {
          const gone = await documents.deleting(place);
          if (gone.length > 0) await removeNow(place, refOf(collection), gone);
          told.deleted += gone.length;
          for (let after = ''; ;) {
            const page = await documents.pending(place, { after, limit: RESUME_PAGE });
            if (page.length === 0) break;
            after = page.at(-1)?.id ?? '';
            const request = { principal: ownPrincipal(place.tenantId), requestId: newId('req'), signal };
            const outcome = await indexAll(place, page, { ...optionsOf(collection, request), fresh: false });
            told.indexed += outcome.indexed;
            told.failed += outcome.failed.length;
          }
        });
      }
      return told;
    },

    check: async (place) => {
      const collection = await collections.require(place.tenantId, place.collection);
      const [indexed, live] = await Promise.all([index.documentIds(refOf(collection)), documents.liveIds(place)]);
      return {
        orphans: [...indexed].filter((id) => !live.has(id)),
        missing: [...live].filter((id) => !indexed.has(id)),
      };
    },
  };
}

interface BatchOptions {
  collection: Collection;
  ref: IndexRef;
  principal: Principal;
  requestId: RequestId;
  signal: AbortSignal;
  /** None of the documents has ever been in the index. */
  fresh: boolean;
  onProgress?: (done: number, total: number) => void;
}

function optionsOf(collection: Collection, request: Pick<IngestRequest, 'principal' | 'requestId' | 'signal'>) {
  const { requestId, signal } = request;
  // The collection decides which model embeds it, whichever routes the key may call directly.
  const principal = { ...request.principal, allowedRoutes: [] };
  return { collection, ref: refOf(collection), principal, requestId, signal };
}

function refOf(collection: Collection): IndexRef {
  return { tenantId: collection.tenantId, collection: collection.name, version: collection.version };
}

/** What both legs index of a chunk: the title and the headings say what the text is about. */
function searchable(title: string, chunk: TextChunk): string {
  const headings = chunk.headingPath.filter((heading) => heading !== title);
  return [title, ...headings, chunk.content].filter((line) => line !== '').join('\n');
}

function pendingOf(document: NewDocument): PendingDocument {
  const { content: text, metadata = {} } = document;
  const wrong = (param: string, problem: string): SekishoError =>
    new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
  if (text.length > MAX_TEXT) throw wrong('content', `longer than ${MAX_TEXT} characters`);
  if (text.trim() === '') throw wrong('content', 'empty');
  const metadataJson = JSON.stringify(metadata);
  if (metadataJson.length > MAX_METADATA) throw wrong('metadata', `larger than ${MAX_METADATA} bytes`);
  if (FORBIDDEN_KEY.test(metadataJson)) throw wrong('metadata', 'a key is not allowed');
  const parsed = document.headings === undefined ? parseMarkdown(text) : undefined;
  // Headings found by the parser count from after a front matter, which stays part of a document given as text.
  const shift = parsed === undefined ? 0 : text.length - parsed.text.length;
  const headings =
    document.headings ?? parsed?.headings.map((heading) => ({ ...heading, start: heading.start + shift })) ?? [];
  const title = document.title ?? parsed?.title ?? '';
  const hash = createHash('sha256').update(`${title}\0${metadataJson}\0${text}`).digest('hex');
  const id = document.id ?? `doc_${hash.slice(0, 24)}`;
  if (id === '' || id.length > MAX_ID) throw wrong('id', `1 to ${MAX_ID} characters`);
  return { id, title, text, metadata, headings, hash };
}

function refuseRepeated(documents: readonly PendingDocument[]): void {
  const seen = new Set<DocumentId>();
  for (const { id } of documents) {
    if (seen.has(id)) {
      const problem = `documents: the id "${id.slice(0, 100)}" comes twice`;
      throw new SekishoError('invalid_request', { values: { problem }, param: 'documents' });
    }
    seen.add(id);
  }
}

/** The process itself, finishing what a principal of this tenant began. */
function ownPrincipal(tenantId: TenantId): Principal {
  return { tenantId, keyId: 'key_process', name: 'Sekisho', role: 'admin', allowedRoutes: [], limits: {} };
}
