import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { ChunkIndex, IndexHit, IndexRef, IndexSearch } from '../../ports/chunk-index.ts';
import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { Hit } from '../../spec/document.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { CollectionName, DocumentId, RequestId, TenantId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import type { EmbedQuery } from './embed-query.ts';
import { filterTags } from './filters.ts';
import { DEFAULT_DENSE_WEIGHT, fuse } from './fuse.ts';
import type { FusedHit } from './fuse.ts';

/** Candidates that each leg hands to the fusion, at least. */
const CANDIDATES = 100;
const MOST_HITS = 100;
const LONGEST_QUERY = 16_384;

/** What retrieval needs to know of a collection. */
export interface SearchableCollection {
  name: CollectionName;
  /** What its indexes are filed under, where that is not the name. */
  id?: string;
  version: number;
  embeddingRoute: string;
  /** Between 0 (lexical alone) and 1 (dense alone); the default where unset. */
  denseWeight?: number | null;
}

/** A span of a stored document that a hit points to. */
export interface SpanRef {
  documentId: DocumentId;
  /** Tells which version of the document the span counts in. */
  chunkId: string;
  start: number;
  end: number;
}

/** What a stored document says at a span. */
export interface LiveSpan {
  title: string;
  content: string;
  metadata: JsonObject;
}

export interface RetrieveDeps {
  index: Pick<ChunkIndex, 'searchLexical' | 'searchDense'>;
  analyser: Pick<TextAnalyser, 'terms'>;
  embedQuery: EmbedQuery;
  collections: { get(tenantId: TenantId, name: CollectionName): Promise<SearchableCollection | undefined> };
  documents: {
    /** One entry per span, in order; undefined where the document may not be shown (deleted, being deleted, failed). */
    hydrate(
      tenantId: TenantId,
      collection: CollectionName,
      spans: readonly SpanRef[],
    ): Promise<readonly (LiveSpan | undefined)[]>;
  };
  clock: Clock;
}

export interface RetrieveRequest {
  principal: Principal;
  collection: CollectionName;
  query: string;
  /** 1 to 100. */
  topK: number;
  /** See filterTags. */
  filters?: JsonObject;
  signal: AbortSignal;
  requestId: RequestId;
}

/** Milliseconds of each step. The legs run side by side, so the parts add up to more than the total. */
export interface RetrieveTimings {
  analyseMs: number;
  embedMs: number;
  lexicalMs: number;
  denseMs: number;
  fuseMs: number;
  hydrateMs: number;
  totalMs: number;
}

export interface RetrieveResult {
  /** Best first, each with its explain record. */
  hits: Hit[];
  timings: RetrieveTimings;
  /** Set where the upstream of the embedding model failed: the hits are of the lexical leg alone. */
  degradedBy?: SekishoError;
}

/** Finds the passages of a collection that answer a query: words and meaning side by side, fused. */
export type Retrieve = (request: RetrieveRequest) => Promise<RetrieveResult>;

/**
 * Errors of the returned function: invalid_request (query, top_k, filters), collection_not_found, caller_left,
 * storage_unavailable, and what the gateway says of a caller who may not embed (limits, budget). An upstream that
 * fails to embed costs the dense leg, not the answer.
 */
export function createRetrieve(deps: RetrieveDeps): Retrieve {
  const { clock, index } = deps;

  return async (request) => {
    const startedMs = clock.monotonicMs();
    const timings: RetrieveTimings = {
      analyseMs: 0,
      embedMs: 0,
      lexicalMs: 0,
      denseMs: 0,
      fuseMs: 0,
      hydrateMs: 0,
      totalMs: 0,
    };
    const timed = async <T>(step: keyof RetrieveTimings, work: () => T | Promise<T>): Promise<T> => {
      const fromMs = clock.monotonicMs();
      try {
        return await work();
      } finally {
        timings[step] = clock.monotonicMs() - fromMs;
      }
    };

    check(request);
    const { principal, query, topK } = request;
    const groups = filterTags(request.filters ?? {});
    const collection = await deps.collections.get(principal.tenantId, request.collection);
    if (collection === undefined) {
      throw new SekishoError('collection_not_found', { values: { collection: request.collection } });
    }
    const ref: IndexRef = {
      tenantId: principal.tenantId,
      collection: collection.id ?? collection.name,
      version: collection.version,
    };
    const search: IndexSearch = {
      limit: Math.max(CANDIDATES, topK),
      ...(groups.length > 0 && { where: { and: groups.map((anyTag) => ({ anyTag })) } }),
    };
    const weight = collection.denseWeight ?? DEFAULT_DENSE_WEIGHT;

    const lexicalLeg = async (): Promise<IndexHit[]> => {
      const terms = await timed('analyseMs', () => deps.analyser.terms(query));
      return timed('lexicalMs', () => index.searchLexical(ref, terms, search));
    };
    const denseLeg = async (): Promise<IndexHit[]> => {
      const { signal, requestId } = request;
      const embed = { principal, requestId, route: collection.embeddingRoute, text: query, signal };
      const vector = await timed('embedMs', () => deps.embedQuery(embed));
      return timed('denseMs', () => index.searchDense(ref, vector, search));
    };
    let degradedBy: SekishoError | undefined;
    const [lexical, dense] = await Promise.all([
      weight < 1 ? lexicalLeg() : [],
      weight > 0
        ? denseLeg().catch((thrown: unknown) => {
            degradedBy = upstreamFailure(thrown);
            return [];
          })
        : [],
    ]);
    stopIfLeft(request.signal);

    const denseWeight = degradedBy === undefined ? weight : 0;
    const fused = await timed('fuseMs', () => fuse(lexical, dense, { denseWeight, limit: search.limit }));
    const hits = await timed('hydrateMs', () =>
      showable(deps, { tenantId: principal.tenantId, collection: collection.name }, fused, topK),
    );
    stopIfLeft(request.signal);
    timings.totalMs = clock.monotonicMs() - startedMs;
    return degradedBy === undefined ? { hits, timings } : { hits, timings, degradedBy };
  };
}

/** The best `topK` whose documents may be shown; the next candidates step in for those that may not. */
async function showable(
  deps: Pick<RetrieveDeps, 'documents'>,
  place: { tenantId: TenantId; collection: CollectionName },
  fused: readonly FusedHit[],
  topK: number,
): Promise<Hit[]> {
  const hits: Hit[] = [];
  for (let from = 0; from < fused.length && hits.length < topK;) {
    const candidates = fused.slice(from, from + topK - hits.length);
    from += candidates.length;
    const spans = candidates.map(({ hit: { documentId, chunkId, start, end } }) => ({
      documentId,
      chunkId,
      start,
      end,
    }));
    const live = await deps.documents.hydrate(place.tenantId, place.collection, spans);
    candidates.forEach(({ hit, score, explain }, i) => {
      const span = live[i];
      if (span === undefined) return;
      const { documentId, chunkId, start, end, headingPath } = hit;
      const { title, content, metadata } = span;
      hits.push({ documentId, chunkId, start, end, headingPath, score, explain, title, content, metadata });
    });
  }
  return hits;
}

function check({ query, topK }: RetrieveRequest): void {
  if (query.trim() === '') throw wrong('query', 'it is empty');
  if (query.length > LONGEST_QUERY) throw wrong('query', `it is longer than ${LONGEST_QUERY} characters`);
  if (!Number.isInteger(topK) || topK < 1 || topK > MOST_HITS) throw wrong('top_k', `it must be 1 to ${MOST_HITS}`);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}

/** The error, where an upstream is to blame; everything else is thrown on. */
function upstreamFailure(thrown: unknown): SekishoError {
  if (thrown instanceof SekishoError && thrown.fault === 'upstream') return thrown;
  throw thrown;
}

function stopIfLeft(signal: AbortSignal): void {
  if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
}
