import { mapAtOnce } from '../lib/map-at-once.ts';
import type { RetrievalSettings } from '../spec/collection.ts';
import type { CollectionName, RequestId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import type { GoldenCase } from './golden-sets.ts';
import { meanMetrics, rankingMetrics, type RankedHit, type RankingMetrics } from './ranking-metrics.ts';

/** Searches a collection as a question of a caller would. */
export type SearchForEvaluation = (question: {
  principal: Principal;
  collection: CollectionName;
  query: string;
  topK: number;
  settings?: Partial<RetrievalSettings>;
  version?: number;
  embeddingRoute?: string;
  signal: AbortSignal;
  requestId: RequestId;
}) => Promise<{ hits: readonly RankedHit[] }>;

export interface EvaluationOrder {
  principal: Principal;
  collection: CollectionName;
  cases: readonly GoldenCase[];
  k: number;
  /** Tried in place of the collection's. */
  settings?: Partial<RetrievalSettings>;
  /** An index beside the live one, and what embeds for it. */
  version?: number;
  embeddingRoute?: string;
  signal: AbortSignal;
  requestId: RequestId;
  onProgress?: (done: number, total: number) => void;
}

export interface CaseMetrics {
  id: string;
  metrics: RankingMetrics;
}

export interface Evaluation {
  mean: RankingMetrics;
  cases: CaseMetrics[];
}

/** MRR looks at this many hits, whatever k is. */
const LEAST_HITS = 50;
const MOST_HITS = 100;
/** Questions under way; a caller who asks meanwhile waits for few of them. */
const AT_ONCE = 4;

/**
 * Asks every question of a golden set and scores what was found. Questions go the way of every search, with the rights
 * of the principal. @throws what the search throws: a set that is half asked has no figures.
 */
export async function evaluateRetrieval(search: SearchForEvaluation, order: EvaluationOrder): Promise<Evaluation> {
  const { cases, k, onProgress, ...asked } = order;
  let done = 0;
  const scored = await mapAtOnce(cases, AT_ONCE, async ({ id, question, relevant }): Promise<CaseMetrics> => {
    const { hits } = await search({ ...asked, query: question, topK: Math.min(MOST_HITS, Math.max(LEAST_HITS, k)) });
    onProgress?.(++done, cases.length);
    return { id, metrics: rankingMetrics(hits, relevant, k) };
  });
  return { mean: meanMetrics(scored.map(({ metrics }) => metrics)), cases: scored };
}
