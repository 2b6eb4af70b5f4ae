import type { JsonObject } from '../lib/json.ts';
import type { DocumentId } from './ids.ts';

/** A document as stored: plain text, to which every span points, and what is known about it. */
export interface StoredDocument {
  id: DocumentId;
  title: string;
  text: string;
  metadata: JsonObject;
  /** sha-256 (hex) of text, title and metadata: equal hash, nothing to do. */
  contentHash: string;
  state: 'pending' | 'ready' | 'failed' | 'deleting';
  failure?: string;
  updatedMs: number;
}

/** A piece of a document that is indexed. `start` and `end` are UTF-16 offsets into the stored text. */
export interface Chunk {
  id: string;
  documentId: DocumentId;
  ordinal: number;
  start: number;
  end: number;
  /** The slice text.slice(start, end). */
  content: string;
  /** Title and headings above the chunk, outermost first. */
  headingPath: string[];
}

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
}
export interface LegExplain {
  rank: number;
  raw: number;
  normalised: number;
  weight: number;
}
