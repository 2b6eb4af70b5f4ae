import type { Usage } from './usage.ts';

export interface EmbeddingRequest {
  input: string[];
  dimensions?: number;
  /** What the texts are for; models that distinguish use their own prefix. */
  purpose?: 'query' | 'document';
  endUser?: string;
}

export interface EmbeddingResult {
  model: string;
  /** One vector per input, in order. */
  vectors: Float32Array[];
  usage: Usage;
}
