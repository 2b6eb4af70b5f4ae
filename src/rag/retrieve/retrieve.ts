import type { Clock } from '../../lib/clock.ts';
import type { Hit } from '../../spec/document.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { CollectionName, TenantId } from '../../spec/ids.ts';
import { findCandidates } from './find-candidates.ts';
import { distinctPassages, mergePassages, type Passage } from './merge-passages.ts';
import { orderPassages } from './order-passages.ts';
import { planSearch, type RetrieveRequest, type SearchPlan, type SearchableCollection } from './plan-search.ts';
import { readCandidates, readGrown, visibleTo, type HydrateDocuments, type ReadPlace } from './read-candidates.ts';
import type { Rerankers } from './rerank/rerankers.ts';
import type { LegTimings, SearchLegsDeps, Timed } from './search-legs.ts';

export type { RetrieveRequest, SearchableCollection } from './plan-search.ts';
export type { LiveSpan, SpanRef } from './read-candidates.ts';

/** Candidates whose age and trust are looked at, where those count: their dates stand in the documents. */
const WEIGHED_CANDIDATES = 400;
/** How often a search is repeated because documents were replaced between the index and the reading. */
const MOST_SEARCHES = 3;

export interface RetrieveDeps extends SearchLegsDeps {
  collections: { get(tenantId: TenantId, name: CollectionName): Promise<SearchableCollection | undefined> };
  documents: HydrateDocuments;
  rerankers: Rerankers;
  clock: Clock;
}

/** Milliseconds of each step. The legs run side by side, so the parts add up to more than the total. */
export interface RetrieveTimings extends LegTimings {
  fuseMs: number;
  hydrateMs: number;
  rerankMs: number;
  totalMs: number;
}

/** How the hits were found, for whoever asks why. */
export interface RetrieveRecord {
  version: number;
  mode: SearchPlan['settings']['mode'];
  fusion: SearchPlan['settings']['fusion'];
  denseWeight: number;
  reranker: string;
  /** Of each query, in the order in which they were searched: how many candidates each leg gave. */
  queries: { text: string; weight: number; lexical: number; dense: number }[];
  /** Different candidates of all queries and legs. */
  candidates: number;
}

export interface RetrieveResult {
  /** Best first, each with its explain record. */
  hits: Hit[];
  timings: RetrieveTimings;
  record: RetrieveRecord;
  /** Set where an upstream failed: without the embedding model the hits are of words alone, without the reranker's
   * model in the order of the legs. */
  degradedBy?: SekishoError;
}

/** Finds the passages of a collection that answer a query: words and meaning side by side, fused, reranked. */
export type Retrieve = (request: RetrieveRequest) => Promise<RetrieveResult>;

/**
 * Errors of the returned function: invalid_request (query, top_k, filters), collection_not_found, caller_left,
 * storage_unavailable, and what the gateway says of a caller who may not embed or rerank (limits, budget). An upstream
 * that fails costs its step, not the answer.
 */
export function createRetrieve(deps: RetrieveDeps): Retrieve {
  const { clock } = deps;
  return async (request) => {
    const startedMs = clock.monotonicMs();
    const { timings, timed } = stopwatch(clock);

    // 1. Plan: the collection's settings with what the request says in their place; rights and filters before ranking.
    const plan = await planSearch(deps.collections, request);
    const place = { tenantId: request.principal.tenantId, collection: plan.collection.name };

    let outcome = await searchOnce(deps, { request, plan, place, timed });
    let missedBefore = '';
    for (let searches = 1; searches < MOST_SEARCHES && outcome.missed !== ''; searches++) {
      // A document that is being deleted is missed again, one that was replaced is found in its new version.
      if (outcome.missed === missedBefore) break;
      missedBefore = outcome.missed;
      outcome = await searchOnce(deps, { request, plan, place, timed });
    }
    stopIfLeft(request.signal);
    timings.totalMs = clock.monotonicMs() - startedMs;
    const { hits, record, degradedBy } = outcome;
    return { hits, timings, record, ...(degradedBy !== undefined && { degradedBy }) };
  };
}

interface SearchContext {
  request: RetrieveRequest;
  plan: SearchPlan;
  place: ReadPlace;
  timed: Timed<keyof RetrieveTimings>;
}

type SearchOutcome = Omit<RetrieveResult, 'timings'> & { missed: string };

async function searchOnce(deps: RetrieveDeps, { request, plan, place, timed }: SearchContext): Promise<SearchOutcome> {
  const { clock } = deps;
  const documents = visibleTo(request.principal, deps.documents);
  const { settings, topK } = plan;

  // 2. Candidates: both legs of every query at once, fused into one order.
  const candidates = await findCandidates(deps, request, plan, timed);
  stopIfLeft(request.signal);

  // 3. Read: the texts of the best, from the version that the index was made from.
  const reranker = deps.rerankers(settings.reranker);
  const weighed = settings.timeDecay !== null || settings.trust !== null ? WEIGHED_CANDIDATES : 0;
  let next = Math.max(topK, weighed, reranker?.depth ?? 0);
  const first = await timed('hydrateMs', () => readCandidates(documents, place, candidates.fused.slice(0, next)));
  const missed = [...first.missed];
  stopIfLeft(request.signal);

  // 4. Order: what stands in the texts, then age and trust.
  const ordered = await timed('rerankMs', () =>
    orderPassages(first.read, { request, plan, candidates, reranker, clock }),
  );
  const passages = [...ordered.passages];

  // 5. Merge: what touches in its document is one passage; the next candidates step in until there are enough.
  const merge = settings.mergeNeighbours ? mergePassages : distinctPassages;
  let merged = merge(passages, topK);
  while (merged.length < topK && next < candidates.fused.length) {
    const slice = candidates.fused.slice(next, next + topK);
    next += slice.length;
    const more = await timed('hydrateMs', () => readCandidates(documents, place, slice));
    missed.push(...more.missed);
    const floor = passages.at(-1)?.score ?? 1;
    const late = await orderPassages(more.read, { request, plan, candidates, reranker: undefined, clock });
    passages.push(...late.passages.map((passage) => ({ ...passage, score: Math.min(floor, passage.score) })));
    merged = merge(passages, topK);
  }
  const whole = await timed('hydrateMs', () => readGrown(documents, place, merged));
  const shrunk = merged.length - whole.length;

  const degradedBy = candidates.degradedBy ?? ordered.degradedBy;
  return {
    hits: whole.map(hitOf),
    missed: missed.join('\n') + '\n'.repeat(shrunk),
    record: {
      version: plan.ref.version,
      mode: settings.mode,
      fusion: settings.fusion,
      denseWeight: plan.denseWeight,
      reranker: settings.reranker.kind,
      queries: plan.queries.map(({ text, weight }, at) => {
        const { lexical, dense } = candidates.found[at] ?? { lexical: [], dense: [] };
        return { text, weight, lexical: lexical.length, dense: dense.length };
      }),
      candidates: candidates.fused.length,
    },
    ...(degradedBy !== undefined && { degradedBy }),
  };
}

function hitOf(passage: Passage & { content: string }): Hit {
  const { documentId, chunkId, start, end, headingPath, score, explain, title, content, metadata } = passage;
  return { documentId, chunkId, start, end, headingPath, score, explain, title, content, metadata };
}

function stopwatch(clock: Clock): { timings: RetrieveTimings; timed: Timed<keyof RetrieveTimings> } {
  const timings: RetrieveTimings = {
    analyseMs: 0,
    embedMs: 0,
    lexicalMs: 0,
    denseMs: 0,
    fuseMs: 0,
    hydrateMs: 0,
    rerankMs: 0,
    totalMs: 0,
  };
  const timed = async <T>(step: keyof RetrieveTimings, work: () => T | Promise<T>): Promise<T> => {
    const fromMs = clock.monotonicMs();
    try {
      return await work();
    } finally {
      timings[step] += clock.monotonicMs() - fromMs;
    }
  };
  return { timings, timed };
}

function stopIfLeft(signal: AbortSignal): void {
  if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
}
