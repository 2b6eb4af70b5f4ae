import type { DocumentId } from '../spec/ids.ts';

/** What a question should find: a document, or, with a quote, a place of it. */
export interface RelevantItem {
  document: DocumentId;
  /** A hit counts only where its passage holds these words exactly. */
  quote?: string;
}

/** What retrieval gave, best first. */
export interface RankedHit {
  documentId: DocumentId;
  content: string;
}

/** Figures of one question, each 0 to 1. `k` bounds all but `mrr` and `hit1`. */
export interface RankingMetrics {
  precision: number;
  recall: number;
  f1: number;
  hit1: number;
  hit: number;
  /** 1 / rank of the first relevant hit, however far down it stands; 0 where there is none. */
  mrr: number;
  ndcg: number;
}

export const RANKING_METRICS = [
  'precision',
  'recall',
  'f1',
  'hit1',
  'hit',
  'mrr',
  'ndcg',
] as const satisfies readonly (keyof RankingMetrics)[];

/**
 * Scores a ranking with binary relevance (Manning, Raghavan and Schütze, "Introduction to Information Retrieval",
 * chapter 8; nDCG after Järvelin and Kekäläinen 2002 with gain 1 and discount log2(rank + 1)). Hits of one document
 * count once, at the best rank, unless a quote tells its places apart.
 */
export function rankingMetrics(
  hits: readonly RankedHit[],
  relevant: readonly RelevantItem[],
  k: number,
): RankingMetrics {
  const found = new Set<RelevantItem>();
  const gains: boolean[] = [];
  const seen = new Set<DocumentId>();
  const quoted = new Set(relevant.flatMap(({ document, quote }) => (quote === undefined ? [] : [document])));
  for (const hit of hits) {
    if (!quoted.has(hit.documentId)) {
      if (seen.has(hit.documentId)) continue;
      seen.add(hit.documentId);
    }
    const items = relevant.filter((item) => !found.has(item) && matches(hit, item));
    for (const item of items) found.add(item);
    gains.push(items.length > 0);
    if (gains.length === k) break;
  }
  const inK = gains.filter(Boolean).length;
  const precision = k === 0 ? 0 : inK / k;
  const recall = relevant.length === 0 ? 0 : found.size / relevant.length;
  const first = firstRank(hits, relevant);
  const ideal = discounted(Array.from({ length: Math.min(k, relevant.length) }, () => true));
  return {
    precision,
    recall,
    f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    hit1: gains[0] === true ? 1 : 0,
    hit: inK > 0 ? 1 : 0,
    mrr: first === undefined ? 0 : 1 / first,
    ndcg: ideal === 0 ? 0 : discounted(gains) / ideal,
  };
}

/** The mean of each figure; zeros of none. */
export function meanMetrics(all: readonly RankingMetrics[]): RankingMetrics {
  const mean = { precision: 0, recall: 0, f1: 0, hit1: 0, hit: 0, mrr: 0, ndcg: 0 };
  for (const each of all) for (const name of RANKING_METRICS) mean[name] += each[name] / all.length;
  return mean;
}

function matches({ documentId, content }: RankedHit, { document, quote }: RelevantItem): boolean {
  return documentId === document && (quote === undefined || content.includes(quote));
}

/** Among documents, as the other figures count. */
function firstRank(hits: readonly RankedHit[], relevant: readonly RelevantItem[]): number | undefined {
  const before = new Set<DocumentId>();
  for (const hit of hits) {
    if (relevant.some((item) => matches(hit, item))) return before.size + 1;
    before.add(hit.documentId);
  }
  return undefined;
}

function discounted(gains: readonly boolean[]): number {
  return gains.reduce((sum, gain, at) => sum + (gain ? 1 / Math.log2(at + 2) : 0), 0);
}
