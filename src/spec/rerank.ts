import type { Usage } from './usage.ts';

/** Which of these texts answer the query best. */
export interface RerankRequest {
  query: string;
  documents: string[];
  /** How many results are wanted; absent: all. */
  topN?: number;
  endUser?: string;
}

export interface RerankResult {
  id: string;
  model: string;
  /** The best first; `index` points into the request's documents, `score` is comparable within one answer only. */
  results: { index: number; score: number }[];
  usage: Usage;
}
