import { z } from 'zod';

/**
 * The bodies and events of `POST /v1/query`, shared by the server, its OpenAPI and the console.
 * Every `start` and `end` counts UTF-16 code units of the stored document's text.
 */
export const queryRequestSchema = z.object({
  query: z.string().min(1).max(20_000),
  collection: z.string().min(1).max(200),
  top_k: z.number().int().min(1).max(100).default(5),
  filters: z.record(z.string(), z.unknown()).optional(),
  stream: z.boolean().default(false),
  explain: z.boolean().default(false),
});
export type QueryRequest = z.infer<typeof queryRequestSchema>;

/** A span that supports a sentence of the answer; `answer_start` and `answer_end` are offsets into the answer. */
export const queryCitationSchema = z.object({
  document_id: z.string(),
  start: z.number().int().nonnegative(),
  end: z.number().int().nonnegative(),
  sentence: z.string(),
  answer_start: z.number().int().nonnegative().optional(),
  answer_end: z.number().int().nonnegative().optional(),
  title: z.string().optional(),
});
export type QueryCitation = z.infer<typeof queryCitationSchema>;

/** A passage the answer may rest on; `content` is the document's text from `start` to `end`. */
export const querySourceSchema = z.object({
  document_id: z.string(),
  chunk_id: z.string(),
  start: z.number().int().nonnegative(),
  end: z.number().int().nonnegative(),
  title: z.string(),
  heading_path: z.array(z.string()),
  content: z.string(),
  score: z.number(),
  metadata: z.record(z.string(), z.unknown()),
});
export type QuerySource = z.infer<typeof querySourceSchema>;

/** How one leg of retrieval saw a hit: rank from 1, the leg's own score, the same in 0..1, and the leg's weight. */
export const legExplainSchema = z.object({
  rank: z.number().int().positive(),
  raw: z.number(),
  normalised: z.number(),
  weight: z.number(),
});
export type QueryLegExplain = z.infer<typeof legExplainSchema>;

export const queryExplainSchema = z.object({
  hits: z.array(
    z.object({
      chunk_id: z.string(),
      lexical: legExplainSchema.optional(),
      dense: legExplainSchema.optional(),
      fused: z.number(),
    }),
  ),
  /** Milliseconds by step. */
  timings: z.record(z.string(), z.number()),
});
export type QueryExplain = z.infer<typeof queryExplainSchema>;

/** The whole answer; `processing_time` is in seconds, and `answered` is false where the documents do not say. */
export const queryResponseSchema = z.object({
  answer: z.string(),
  citations: z.array(queryCitationSchema),
  sources: z.array(querySourceSchema),
  processing_time: z.number(),
  model: z.string(),
  answered: z.boolean(),
  explain: queryExplainSchema.optional(),
});
export type QueryResponse = z.infer<typeof queryResponseSchema>;

/** What an error event of the stream carries; the message is in the caller's language. */
export const queryErrorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }),
});
export type QueryError = z.infer<typeof queryErrorSchema>;

/** The events of the stream by name: sources, deltas, citations, then done; or error, which ends it. */
export interface QueryEvents {
  sources: { sources: QuerySource[] };
  delta: { text: string };
  citations: { citations: QueryCitation[] };
  done: QueryResponse;
  error: QueryError;
}
