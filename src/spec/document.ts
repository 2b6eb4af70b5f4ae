import type { JsonObject } from '../lib/json.ts';
import type { DocumentId } from './ids.ts';

/** What retrieval hands on: one chunk with its score and where it stands. */
export interface Hit {
  documentId: DocumentId;
  chunkId: string;
  start: number;
  end: number;
  content: string;
  title: string;
  headingPath: string[];
  /** Fused score, 0..1 within one query; comparable only there. */
  score: number;
  metadata: JsonObject;
  explain?: HitExplain;
}

/** Why a hit stands where it stands: its rank (from 1) and raw and normalised score in each leg that found it. */
export interface HitExplain {
  lexical?: LegExplain;
  dense?: LegExplain;
  fused: number;
  /** Where several queries were searched: what each that found the hit made of it. `fused` is over all of them. */
  queries?: QueryExplain[];
  rerank?: RerankExplain;
  /** What the score was multiplied with. */
  factors?: { timeDecay?: number; trust?: number };
  /** Chunks that are handed on as this one passage, in the order of the text. */
  chunks?: string[];
}
export interface LegExplain {
  rank: number;
  raw: number;
  normalised: number;
  weight: number;
}
export interface QueryExplain {
  query: string;
  weight: number;
  lexical?: LegExplain;
  dense?: LegExplain;
  fused: number;
}
/** What the reranker changed. Ranks count from 1. */
export interface RerankExplain {
  kind: string;
  /** The reranker's own score. */
  raw: number;
  rankBefore: number;
  rankAfter: number;
}
