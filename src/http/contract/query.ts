import { z } from 'zod';
import { filtersSchema } from './filters.ts';
import { actingAsSchema } from './keys.ts';

/**
 * The bodies and events of `POST /v1/query`, shared by the server, its OpenAPI and the console.
 * Every `start` and `end` counts UTF-16 code units of the stored document's text.
 */
export const queryRequestSchema = z.strictObject({
  query: z.string().min(1).max(20_000),
  collection: z.string().min(1).max(200),
  /** As many as the collection hands on, where absent. */
  top_k: z.number().int().min(1).max(100).optional(),
  /** Turns before the question, oldest first; 100,000 characters together. */
  history: z
    .array(z.object({ role: z.enum(['user', 'assistant']), content: z.string().max(20_000) }))
    .max(50)
    .refine(
      (turns) => turns.reduce((sum, { content }) => sum + content.length, 0) <= 100_000,
      'more than 100000 characters',
    )
    .default([]),
  filters: filtersSchema.optional(),
  as: actingAsSchema.optional(),
  /** The legs that are searched; the ones of the collection where absent. */
  mode: z.enum(['hybrid', 'lexical', 'dense']).optional(),
  /** The order of the legs stands. */
  rerank: z.literal('off').optional(),
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
  /** The page or slide on which the span begins, from 1. */
  page: z.number().int().positive().optional(),
});
export type QueryCitation = z.infer<typeof queryCitationSchema>;

/** What became of the sentences of an answer that state something. Offsets and numbers are those of this answer. */
export const queryVerificationSchema = z.object({
  policy: z.enum(['flag', 'withhold', 'off']),
  sentences: z.array(
    z.object({
      start: z.number().int().nonnegative(),
      end: z.number().int().nonnegative(),
      verdict: z.enum(['supported', 'unsupported', 'uncited']),
      /** What does not stand in the source: quote, number, date, name, negation, meaning; or no_passage. */
      reasons: z.array(z.string()),
      /** Places in `citations`. */
      citations: z.array(z.number().int().nonnegative()),
    }),
  ),
  /** Sentences that were left out. */
  withheld: z.number().int().nonnegative(),
  /** Share of the sources named which bear their sentence out; null where none was named. */
  citation_precision: z.number().nullable(),
  /** Share of the sentences which are supported; null where none states anything. */
  citation_coverage: z.number().nullable(),
});
export type QueryVerification = z.infer<typeof queryVerificationSchema>;

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
  /** The page or slide on which the passage begins, from 1. */
  page: z.number().int().positive().optional(),
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
  /** What was made of the question before it was searched for, and how each attempt ended. */
  rewrites: z
    .array(
      z.object({
        kind: z.enum(['condense', 'queries', 'hyde', 'sub_queries']),
        outcome: z.enum(['done', 'failed', 'no_model']),
        queries: z.array(z.string()),
      }),
    )
    .optional(),
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
  verification: queryVerificationSchema,
  /** Whether the answer was kept from an earlier question. */
  cache: z.enum(['hit', 'miss']),
  explain: queryExplainSchema.optional(),
});
export type QueryResponse = z.infer<typeof queryResponseSchema>;

/** What an error event of the stream carries; the message is in the caller's language. */
export const queryErrorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }),
});
export type QueryError = z.infer<typeof queryErrorSchema>;

/** The events of the stream by name: sources, deltas, citations, verification, then done; or error, which ends it. */
export interface QueryEvents {
  sources: { sources: QuerySource[] };
  delta: { text: string };
  citations: { citations: QueryCitation[] };
  verification: QueryVerification;
  done: QueryResponse;
  error: QueryError;
}
