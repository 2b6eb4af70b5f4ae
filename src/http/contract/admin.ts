import { z } from 'zod';

/** What every answer about a managed setting tells of it. */
export const managedFields = z.object({
  name: z.string(),
  source: z.enum(['file', 'api']).describe('Where it was set; what the API sets comes before the file.'),
  revision: z.int().optional(),
  updated_at: z.string().optional(),
  updated_by: z.string().optional(),
});

/** What `POST /v1/providers/{name}/test` found. */
export const providerTestSchema = z.object({
  ok: z.boolean(),
  models: z.array(z.string()),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

/** Health of a target, as `GET /v1/targets` shows it. */
export const targetHealthSchema = z.object({
  target: z.string(),
  state: z.enum(['closed', 'open', 'half-open']),
  in_flight: z.int(),
  queue_length: z.int(),
  latency_ms: z.number().nullable(),
  failure_share: z.number(),
  open_until: z.string().nullable(),
  last_error: z.string().nullable(),
});

/** Which answers to forget: exactly one of these. */
export const invalidateSchema = z
  .strictObject({
    pattern: z.string().min(1).max(500).optional().describe('Glob over route/hash: "fast/*".'),
    route: z.string().min(1).max(200).optional(),
    tag: z.string().min(1).max(200).optional(),
    document: z.string().min(1).max(500).optional(),
    all: z.literal(true).optional(),
  })
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, 'give exactly one');

/** What `POST /v1/cache/invalidate` has done. */
export const invalidatedSchema = z.object({ removed: z.int() });

const levelStats = z.object({ entries: z.int(), bytes: z.int() });
const lookStats = z.object({
  lookups: z.int(),
  hits: z.int(),
  misses: z.int(),
  hitRate: z.number(),
  memoryHits: z.int(),
  sharedHits: z.int(),
  memory: levelStats,
});

/** What `GET /v1/cache` tells of each cache of the tenant. */
export const cacheStatsSchema = z.object({
  answers: lookStats.extend({ joined: z.int(), kept: z.int(), notKept: z.int() }),
  embeddings: lookStats.optional(),
});
