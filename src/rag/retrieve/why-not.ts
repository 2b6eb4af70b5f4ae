import type { IndexHit } from '../../ports/chunk-index.ts';
import type { HitExplain } from '../../spec/document.ts';
import type { SekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import { maySee, rightsFilter } from '../access.ts';
import type { DocumentRecord, Place } from '../documents.ts';
import { compileFilter } from '../filter/compile-filter.ts';
import { matchesFilter } from '../filter/matches-filter.ts';
import { parseFilter } from '../filter/parse-filter.ts';
import { documentTags } from '../tags.ts';
import { findCandidates } from './find-candidates.ts';
import { planSearch, type RetrieveRequest, type SearchPlan } from './plan-search.ts';
import type { Retrieve, RetrieveDeps } from './retrieve.ts';
import { trustedOnly } from './score-factors.ts';
import { searchLegs } from './search-legs.ts';

/** Where the best chunk of the document stands in one leg of the query. */
export interface LegStanding {
  /** Among the candidates, from 1; absent where it is not one of them. */
  rank?: number;
  /** The leg's own score; absent where the leg does not find the document at all. */
  score?: number;
  /** The score of the last candidate, where the leg has more than it gives. */
  needed?: number;
}

export type WhyNotReason =
  /** There is no such document, or none that the caller may know of. */
  | 'not_in_collection'
  /** It has no version in the index yet. */
  | 'not_ready'
  /** It does not meet the filters named. */
  | 'filtered'
  /** Its trust tier is kept out of this collection's answers. */
  | 'distrusted'
  /** Neither leg has it among its candidates. */
  | 'not_a_candidate'
  /** It was among the hits, and the reranker put others before it. */
  | 'reranked_out'
  | 'below_top_k'
  /** It is among the hits. */
  | 'found';

export interface WhyNot {
  reason: WhyNotReason;
  /** Keys of the filters that it does not meet. */
  conditions?: string[];
  state?: DocumentRecord['state'];
  failure?: string;
  legs?: { lexical?: LegStanding; dense?: LegStanding };
  /** Its best place after the fusion. */
  fusedRank?: number;
  /** Its place among the passages, where it is one of the first hundred, and its score. */
  rank?: number;
  score?: number;
  /** The score of the last hit. */
  neededScore?: number;
  explain?: HitExplain;
  degradedBy?: SekishoError;
}

export type ExplainAbsence = (request: RetrieveRequest & { documentId: DocumentId }) => Promise<WhyNot>;

export interface WhyNotDeps extends RetrieveDeps {
  retrieve: Retrieve;
  documents: RetrieveDeps['documents'] & { get(place: Place, id: DocumentId): Promise<DocumentRecord | undefined> };
}

const MOST_HITS = 100;

/**
 * Says why a document is not among the hits of a question: the first reason on the road from the index to the last
 * hit, with the scores it has and those it would need. Whoever may not see a document is told what is told of one that
 * does not exist. Errors are those of retrieval.
 */
export function createWhyNot(deps: WhyNotDeps): ExplainAbsence {
  const untimed = async <T>(_: string, work: () => T | Promise<T>): Promise<T> => work();

  /** The best chunks of the document by themselves, within the rights of the caller and past all filters. */
  async function standing(request: RetrieveRequest, plan: SearchPlan, id: DocumentId) {
    const rights = rightsFilter(request.principal);
    const where = { and: [{ documentIds: [id] }, ...(rights === undefined ? [] : [rights])] };
    const { principal, requestId, signal } = request;
    return searchLegs(
      deps,
      {
        ref: plan.ref,
        text: request.query,
        legs: { lexical: true, dense: true },
        searches: [{ limit: 1, where }],
        embed: { principal, requestId, signal, route: plan.embeddingRoute },
      },
      untimed,
    );
  }

  return async ({ documentId, ...request }) => {
    const plan = await planSearch(deps.collections, request);
    const { principal } = request;
    const place: Place = { tenantId: principal.tenantId, collection: plan.collection.name };
    const record = await deps.documents.get(place, documentId);
    if (record === undefined || !maySee(principal, record.access)) return { reason: 'not_in_collection' };

    const alone = await standing(request, plan, documentId);
    const indexed = alone.lexical.length + alone.dense.length > 0;
    if (!indexed && (record.state !== 'ready' || record.chunks === 0)) {
      const { state, failure } = record;
      return { reason: 'not_ready', state, ...(failure !== null && { failure }) };
    }

    const document = { id: documentId, tags: documentTags(record) };
    const conditions = Object.entries(request.filters ?? {}).flatMap(([key, value]) =>
      matchesFilter(compileFilter(parseFilter({ [key]: value })), document) ? [] : [key],
    );
    if (conditions.length > 0) return { reason: 'filtered', conditions };
    const trusted = trustedOnly(plan.settings.trust);
    if (trusted !== undefined && !matchesFilter(trusted, document)) return { reason: 'distrusted' };

    const [candidates, { hits, degradedBy }] = await Promise.all([
      findCandidates(deps, request, plan, untimed),
      deps.retrieve({ ...request, topK: MOST_HITS }),
    ]);
    const found = candidates.found[0];
    const legs = {
      ...(plan.denseWeight < 1 && {
        lexical: legStanding(found?.lexical ?? [], alone.lexical[0], { documentId, limit: plan.limit }),
      }),
      ...(plan.denseWeight > 0 && {
        dense: legStanding(found?.dense ?? [], alone.dense[0], { documentId, limit: plan.limit }),
      }),
    };
    const fusedAt = candidates.fused.findIndex(({ hit }) => hit.documentId === documentId);
    const at = hits.findIndex((hit) => hit.documentId === documentId);
    const hit = hits[at];
    const last = hits[Math.min(plan.topK, hits.length) - 1];
    const told = {
      legs,
      ...(fusedAt >= 0 && { fusedRank: fusedAt + 1 }),
      ...(hit !== undefined && { rank: at + 1, score: hit.score, ...(hit.explain && { explain: hit.explain }) }),
      ...(at >= plan.topK && last !== undefined && { neededScore: last.score }),
      ...(degradedBy !== undefined && { degradedBy }),
    };
    if (hit !== undefined && at < plan.topK) return { reason: 'found', ...told };
    if (fusedAt < 0) return { reason: 'not_a_candidate', ...told };
    const before = hit?.explain?.rerank?.rankBefore ?? Infinity;
    return { reason: before <= plan.topK ? 'reranked_out' : 'below_top_k', ...told };
  };
}

function legStanding(
  candidates: readonly IndexHit[],
  alone: IndexHit | undefined,
  { documentId, limit }: { documentId: DocumentId; limit: number },
): LegStanding {
  const at = candidates.findIndex((hit) => hit.documentId === documentId);
  const score = candidates[at]?.score ?? alone?.score;
  const last = candidates.at(-1);
  return {
    ...(at >= 0 && { rank: at + 1 }),
    ...(score !== undefined && { score }),
    ...(at < 0 && candidates.length >= limit && last !== undefined && { needed: last.score }),
  };
}
