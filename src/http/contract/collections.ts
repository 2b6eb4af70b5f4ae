import { z } from 'zod';
import { promptTemplateProblem } from '../../rag/answer/prompt-template.ts';
import { collectionName } from './documents.ts';

const tokens = z.int().min(16).max(8_192);
const route = z.string().min(1).max(200);
const field = z.string().min(1).max(128);

const chunkerSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('recursive'), target_tokens: tokens, max_tokens: tokens }),
    z.strictObject({ kind: z.literal('fixed'), tokens, overlap_tokens: z.int().min(0).max(4_096) }),
    z.strictObject({ kind: z.literal('structure'), max_tokens: tokens }),
    z.strictObject({ kind: z.literal('sentence-window'), sentences: z.int().min(1).max(20) }),
    z.strictObject({ kind: z.literal('parent-child'), child_tokens: tokens, parent_tokens: tokens }),
    z.strictObject({ kind: z.literal('semantic'), percentile: z.int().min(50).max(99), max_tokens: tokens }),
  ])
  .superRefine((chunker, context) => {
    const problem =
      chunker.kind === 'recursive' && chunker.target_tokens > chunker.max_tokens
        ? 'target_tokens must not be above max_tokens'
        : chunker.kind === 'fixed' && chunker.overlap_tokens * 2 > chunker.tokens
          ? 'overlap_tokens must not be above half of tokens'
          : chunker.kind === 'parent-child' && chunker.child_tokens > chunker.parent_tokens
            ? 'child_tokens must not be above parent_tokens'
            : undefined;
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

const rerankerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('late-interaction') }),
  z.strictObject({ kind: z.literal('mmr'), lambda: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal('cross-encoder'), route }),
]);

const rewriteSchema = z.strictObject({
  condense: z.boolean(),
  queries: z.int().min(0).max(5),
  hyde: z.boolean(),
  sub_queries: z.boolean(),
});

const retrievalSchema = z.strictObject({
  mode: z.enum(['hybrid', 'lexical', 'dense']),
  fusion: z.enum(['convex', 'rrf']),
  dense_weight: z.number().min(0).max(1).nullable(),
  reranker: rerankerSchema,
  top_k: z.int().min(1).max(100),
  candidates: z.int().min(100).max(1_000),
  merge_neighbours: z.boolean(),
  time_decay: z.strictObject({ field, half_life_days: z.number().positive().max(36_500) }).nullable(),
  trust: z
    .strictObject({
      field,
      factors: z
        .record(z.string().min(1).max(100), z.number().min(0).max(1))
        .refine((factors) => Object.keys(factors).length <= 50, 'at most 50 tiers'),
    })
    .nullable(),
  rewrite: rewriteSchema.partial(),
});

const answerSchema = z.strictObject({
  route: route.nullable(),
  prompt: z
    .string()
    .max(8_000)
    .superRefine((template, context) => {
      const message = promptTemplateProblem(template);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .nullable(),
  passage_tokens: z.int().min(200).max(200_000),
  verify: z.enum(['flag', 'withhold', 'off']),
  judge_route: route.nullable(),
});

const indexSchema = z.strictObject({ chunker: chunkerSchema, embedding_route: route });

/** What is chosen for a collection; what is left out stays, and chunker and reranker are replaced whole. */
export const settingsChangeSchema = z.strictObject({
  index: indexSchema.partial().optional(),
  retrieval: retrievalSchema.partial().optional(),
  answer: answerSchema.partial().optional(),
});

const settingsSchema = z.object({ index: indexSchema, retrieval: retrievalSchema, answer: answerSchema });

/** Body of `POST /v1/collections`. */
export const createCollectionSchema = z.strictObject({
  name: collectionName,
  settings: settingsChangeSchema.default({}),
});

/** Body of `PATCH /v1/collections/{collection}`. */
export const changeCollectionSchema = z
  .strictObject({ name: collectionName, settings: settingsChangeSchema })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'name or settings');

/** Body of `POST /v1/collections/{collection}/copy`. */
export const copyCollectionSchema = z.strictObject({ name: collectionName });

/** Body of `POST /v1/collections/{collection}/swap`. */
export const swapSchema = z.strictObject({
  force: z.boolean().default(false).describe('Whatever is said against the new index.'),
});

const holdings = { documents: z.int(), chunks: z.int(), characters: z.int() };

const shadowSchema = z.object({
  version: z.int(),
  state: z.enum(['building', 'waiting', 'failed', 'previous', 'returning', 'dropping']),
  failure: z.string().optional(),
  progress: z.number().describe('0 to 1: the share of the documents that are in it.'),
  ...holdings,
  settings: indexSchema,
  fingerprint: z.string(),
  created_at: z.string(),
});

/** One collection. */
export const collectionSchema = z.object({
  name: z.string(),
  version: z.int().describe('Of the index that is searched.'),
  settings: settingsSchema,
  settings_revision: z.int(),
  statistics: z.object({
    ...holdings,
    by_state: z.object({ pending: z.int(), ready: z.int(), failed: z.int(), deleting: z.int() }),
    waiting: z.int().describe('Documents of which a version waits to be indexed.'),
  }),
  embedding_model: z.string(),
  fingerprint: z.string(),
  shadow: shadowSchema.nullable().describe('The index that is to take the place of the live one.'),
  previous: shadowSchema.nullable().describe('The index that was live before.'),
  created_at: z.string(),
});
