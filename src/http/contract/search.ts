import { z } from 'zod';
import { filtersSchema } from './filters.ts';
import { actingAsSchema } from './keys.ts';
import { collectionName } from './documents.ts';

const text = z.string().min(1).max(8_000);

const searchFields = {
  query: text,
  queries: z
    .array(z.strictObject({ text, weight: z.number().positive().max(10).optional() }))
    .max(10)
    .optional()
    .describe('Other queries that are searched beside it, at once; the hits of all are fused.'),
  hyde: text.optional().describe('A passage that would answer the question, searched for by meaning alone.'),
  collection: collectionName.default('default'),
  top_k: z.int().min(1).max(100).optional().describe('As many as the collection says where absent, 5 by default.'),
  filters: filtersSchema.optional(),
  as: actingAsSchema.optional(),
  mode: z.enum(['hybrid', 'lexical', 'dense']).optional().describe('The one of the collection where absent.'),
  rerank: z.literal('off').optional().describe('The order of the two legs stands.'),
};

/** Body of `POST /v1/search`. */
export const searchRequestSchema = z.strictObject({ ...searchFields, explain: z.boolean().default(false) });

/** Body of `POST /v1/search/why-not`. */
export const whyNotRequestSchema = z.strictObject({ ...searchFields, document_id: z.string().min(1).max(512) });

const legExplain = z.object({ rank: z.int(), raw: z.number(), normalised: z.number(), weight: z.number() });
const legs = { lexical: legExplain.optional(), dense: legExplain.optional() };

/** Why a hit stands where it stands. */
export const hitExplainSchema = z.object({
  ...legs,
  fused: z.number(),
  queries: z.array(z.object({ query: z.string(), weight: z.number(), ...legs, fused: z.number() })).optional(),
  rerank: z.object({ kind: z.string(), raw: z.number(), rank_before: z.int(), rank_after: z.int() }).optional(),
  factors: z.object({ time_decay: z.number().optional(), trust: z.number().optional() }).optional(),
  chunks: z.array(z.string()).optional().describe('The chunks that are this one passage.'),
});

/** A passage; `content` is the text of the document from `start` to `end`. */
export const searchHitSchema = z.object({
  document_id: z.string(),
  chunk_id: z.string(),
  start: z.int(),
  end: z.int(),
  title: z.string(),
  heading_path: z.array(z.string()),
  content: z.string(),
  score: z.number(),
  page: z.int().positive().optional().describe('The page or slide on which the passage begins, from 1.'),
  metadata: z.record(z.string(), z.unknown()),
  explain: hitExplainSchema.optional(),
});

export const searchResponseSchema = z.object({
  hits: z.array(searchHitSchema),
  processing_time: z.number().describe('Seconds.'),
  degraded: z.string().optional().describe('Code of the error that cost a step: embedding the question, or reranking.'),
  explain: z
    .object({
      version: z.int(),
      mode: z.string(),
      fusion: z.string(),
      dense_weight: z.number(),
      reranker: z.string(),
      queries: z.array(z.object({ text: z.string(), weight: z.number(), lexical: z.int(), dense: z.int() })),
      candidates: z.int(),
      filters: z.record(z.string(), z.unknown()),
    })
    .optional(),
  timings: z.record(z.string(), z.number()).optional().describe('Milliseconds by step.'),
});

const standing = z.object({
  rank: z.int().optional(),
  score: z.number().optional(),
  needed: z.number().optional().describe('The score of the last candidate.'),
});

/** Why a document is not among the hits. */
export const whyNotResponseSchema = z.object({
  document_id: z.string(),
  reason: z.enum([
    'not_in_collection',
    'not_ready',
    'filtered',
    'distrusted',
    'not_a_candidate',
    'reranked_out',
    'below_top_k',
    'found',
  ]),
  conditions: z.array(z.string()).optional().describe('Filters that it does not meet.'),
  state: z.string().optional(),
  failure: z.string().optional(),
  legs: z.object({ lexical: standing.optional(), dense: standing.optional() }).optional(),
  fused_rank: z.int().optional(),
  rank: z.int().optional(),
  score: z.number().optional(),
  needed_score: z.number().optional().describe('The score of the last hit.'),
  explain: hitExplainSchema.optional(),
  degraded: z.string().optional(),
});
