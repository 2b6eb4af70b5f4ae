import type { RerankerSettings } from '../../../spec/collection.ts';
import type { RequestId } from '../../../spec/ids.ts';
import type { Principal } from '../../../spec/principal.ts';

/** A fused candidate with its text. */
export interface RerankCandidate {
  title: string;
  content: string;
  /** The fused score, 0..1. */
  score: number;
}

export interface RerankAsk {
  query: string;
  /** The best first. */
  candidates: readonly RerankCandidate[];
  /** What a fused score of 1 is worth in points of BM25; absent where scores are of ranks. */
  points?: number;
  principal: Principal;
  requestId: RequestId;
  signal: AbortSignal;
}

/** For each candidate, in the order given: where it stands now, 0..1, and what the reranker itself said. */
export interface Reranked {
  scores: number[];
  raw: number[];
}

/** Gives candidates new scores. @throws SekishoError of the fault `upstream` where a model failed: the order stays. */
export type Rerank = (ask: RerankAsk) => Promise<Reranked>;

/** A reranker and how many candidates it looks at. */
export interface Reranker {
  kind: RerankerSettings['kind'];
  depth: number;
  rerank: Rerank;
}
