import type { JsonObject } from '../../lib/json.ts';
import type { IndexRef, IndexSearch } from '../../ports/chunk-index.ts';
import { defaultCollectionSettings, type CollectionSettings, type RetrievalSettings } from '../../spec/collection.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { CollectionName, RequestId, TenantId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { searchFilter } from './filters.ts';
import { DEFAULT_DENSE_WEIGHT } from './fuse.ts';
import { trustedOnly, unpressedOnly } from './score-factors.ts';

const MOST_HITS = 100;
const MOST_CANDIDATES = 1_000;
const LEAST_CANDIDATES = 100;
const MOST_QUERIES = 10;
const LONGEST_QUERY = 16_384;
/** What the imagined passage counts beside the question's 1. */
const HYDE_WEIGHT = 0.5;

/** What retrieval needs to know of a collection. */
export interface SearchableCollection {
  name: CollectionName;
  /** What its indexes are filed under, where that is not the name. */
  id?: string;
  version: number;
  embeddingRoute: string;
  /** The defaults where absent. */
  settings?: Pick<CollectionSettings, 'retrieval'>;
}

export interface RetrieveRequest {
  principal: Principal;
  collection: CollectionName;
  /** What is asked. Searched with weight 1, and what rerankers read. */
  query: string;
  /** Searched beside it, at once; at most 10. Weights are above 0 and at most 10, 1 where absent. */
  queries?: readonly { text: string; weight?: number }[];
  /** A passage that would answer the question: searched for by meaning alone. */
  hyde?: string;
  /** 1 to 100; the collection's where absent. */
  topK?: number;
  /** See searchFilter. */
  filters?: JsonObject;
  mode?: RetrievalSettings['mode'];
  /** `off`: the order of the legs stands. */
  rerank?: 'off';
  /** Settings that are tried in place of the collection's. */
  settings?: Partial<RetrievalSettings>;
  /** An index beside the live one, and what embeds for it where that is another model. */
  version?: number;
  embeddingRoute?: string;
  signal: AbortSignal;
  requestId: RequestId;
}

/** A query as it is searched. */
export interface PlannedQuery {
  text: string;
  weight: number;
  legs: { lexical: boolean; dense: boolean };
}

/** What a request comes to in its collection. */
export interface SearchPlan {
  collection: SearchableCollection;
  ref: IndexRef;
  embeddingRoute: string;
  settings: RetrievalSettings;
  topK: number;
  /** Candidates of each leg. */
  limit: number;
  /** What each leg is asked; the hits of all are taken together. */
  searches: readonly IndexSearch[];
  denseWeight: number;
  queries: readonly PlannedQuery[];
}

/**
 * Judges a request and says what it comes to: the settings of the collection, with what the request says in their place.
 * @throws SekishoError invalid_request, collection_not_found.
 */
export async function planSearch(
  collections: { get(tenantId: TenantId, name: CollectionName): Promise<SearchableCollection | undefined> },
  request: RetrieveRequest,
): Promise<SearchPlan> {
  check(request);
  const { principal } = request;
  const asked = searchFilter(request);
  const collection = await collections.get(principal.tenantId, request.collection);
  if (collection === undefined) {
    throw new SekishoError('collection_not_found', { values: { collection: request.collection } });
  }
  const embeddingRoute = request.embeddingRoute ?? collection.embeddingRoute;
  const stored = (collection.settings ?? defaultCollectionSettings(embeddingRoute)).retrieval;
  const settings: RetrievalSettings = {
    ...stored,
    ...request.settings,
    ...(request.mode !== undefined && { mode: request.mode }),
    ...(request.rerank === 'off' && { reranker: { kind: 'none' } }),
  };
  const topK = request.topK ?? settings.topK;
  const denseWeight = weightOf(settings);
  const parts = [asked, trustedOnly(settings.trust)].filter((part) => part !== undefined);
  const unpressed = unpressedOnly(settings.trust);
  const limit = Math.min(MOST_CANDIDATES, Math.max(LEAST_CANDIDATES, settings.candidates, topK));
  const legs = { lexical: denseWeight < 1, dense: denseWeight > 0 };
  const beside = (request.queries ?? []).map(({ text, weight = 1 }) => ({ text, weight, legs }));
  const imagined = request.hyde === undefined || !legs.dense ? [] : [request.hyde];
  return {
    collection,
    ref: {
      tenantId: principal.tenantId,
      collection: collection.id ?? collection.name,
      version: request.version ?? collection.version,
    },
    embeddingRoute,
    settings,
    topK,
    limit,
    searches: [
      { limit, ...(parts.length > 0 && { where: { and: parts } }) },
      ...(unpressed === undefined ? [] : [{ limit, where: { and: [...parts, unpressed] } }]),
    ],
    denseWeight,
    queries: [
      { text: request.query, weight: 1, legs },
      ...beside,
      ...imagined.map((text) => ({ text, weight: HYDE_WEIGHT, legs: { lexical: false, dense: true } })),
    ],
  };
}

/** The share of the dense leg: ranks of both legs count the same where nothing else was chosen. */
function weightOf({ mode, fusion, denseWeight }: RetrievalSettings): number {
  if (mode === 'lexical') return 0;
  if (mode === 'dense') return 1;
  return denseWeight ?? (fusion === 'rrf' ? 0.5 : DEFAULT_DENSE_WEIGHT);
}

function check({ query, queries = [], hyde, topK }: RetrieveRequest): void {
  checkText('query', query);
  if (queries.length > MOST_QUERIES) throw wrong('queries', `there are more than ${MOST_QUERIES}`);
  for (const { text, weight = 1 } of queries) {
    checkText('queries', text);
    if (!(weight > 0 && weight <= 10)) throw wrong('queries', 'a weight must be above 0 and at most 10');
  }
  if (hyde !== undefined) checkText('hyde', hyde);
  if (topK === undefined) return;
  if (!Number.isInteger(topK) || topK < 1 || topK > MOST_HITS) throw wrong('top_k', `it must be 1 to ${MOST_HITS}`);
}

function checkText(param: string, text: string): void {
  if (text.trim() === '') throw wrong(param, 'it is empty');
  if (text.length > LONGEST_QUERY) throw wrong(param, `it is longer than ${LONGEST_QUERY} characters`);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
