import { z } from 'zod';

const relevant = z
  .array(
    z.strictObject({
      document: z.string().min(1).max(512),
      quote: z.string().min(1).max(8_000).optional().describe('A hit counts only where it holds these words exactly.'),
    }),
  )
  .min(1)
  .max(100)
  .describe('What the question should find.');

/** A question of a golden set. */
export const goldenCaseSchema = z.strictObject({
  id: z.string().min(1).max(200).optional().describe('Made from the question where none is given.'),
  question: z.string().min(1).max(8_000),
  relevant,
});

/** Body of `POST /v1/collections/{collection}/golden-set`: cases of the same id are replaced. */
export const putGoldenCasesSchema = z.strictObject({ cases: z.array(goldenCaseSchema).min(1).max(1_000) });

export const goldenCasePageQuery = z.object({
  after: z.string().max(200).default(''),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

export const shownGoldenCaseSchema = goldenCaseSchema.extend({
  id: z.string(),
  origin: z.enum(['given', 'drafted']).describe('drafted: by a model, for somebody to look through.'),
  created_at: z.string(),
});

/** Body of `POST /v1/collections/{collection}/evaluations` and `…/tune`. */
export const evaluateSchema = z.strictObject({
  k: z.int().min(1).max(100).default(10).describe('How many hits count.'),
});

/** Body of `POST /v1/collections/{collection}/golden-set/draft`. */
export const draftCasesSchema = z.strictObject({ cases: z.int().min(1).max(50).default(20) });

const share = z.number().min(0).max(1);
const metricsSchema = z.object({
  precision: share,
  recall: share,
  f1: share,
  hit1: share.describe('Whether the first hit is relevant.'),
  hit: share.describe('Whether any of the first k is.'),
  mrr: share,
  ndcg: share,
});
const difference = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** What an evaluation gave: means over the cases, each of the first k hits, and how they differ from the run before. */
export const evaluationSchema = z.object({
  id: z.string(),
  index_version: z.int(),
  settings_revision: z.int(),
  k: z.int(),
  cases: z.int(),
  metrics: metricsSchema,
  comparison: z
    .object({
      previous: z.string(),
      cases: z.int().describe('Cases that both runs have.'),
      differences: z.record(z.string(), difference).describe('This minus the one before, with its 95% interval.'),
    })
    .nullable(),
  created_at: z.string(),
});

export const detailedEvaluationSchema = evaluationSchema.extend({
  per_case: z.array(z.object({ id: z.string(), metrics: metricsSchema })),
});
