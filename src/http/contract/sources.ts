import { z } from 'zod';
import { accessSchema } from './documents.ts';
import { accessName } from './keys.ts';
import { sourceCredentialsSchema, sourceSettingsSchema } from '../../rag/sources/source-settings.ts';
import { REMOVAL_POLICIES } from '../../rag/sources/source.ts';

const access = accessSchema.describe('Who may find its documents; null: what each document itself says.');

const fields = {
  name: accessName,
  access: access.nullable(),
  schedule: z
    .string()
    .min(1)
    .max(200)
    .nullable()
    .describe('Cron expression of five fields, as "0 3 * * *"; null: none.'),
  time_zone: z.string().min(1).max(100).describe('IANA name, as "Asia/Tokyo".'),
  removal: z
    .enum(REMOVAL_POLICIES)
    .describe(
      'What becomes of documents whose origin is gone. none: they stay; incremental: what is told to be gone goes; full: after a complete listing, whatever is not in it goes.',
    ),
  state: z.enum(['active', 'paused']),
};

/** Body of `POST /v1/sources`. */
export const createSourceSchema = z.strictObject({
  name: fields.name,
  collection: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      'letters, digits, ".", "_" and "-", 64 at most, a letter or digit first',
    ),
  settings: sourceSettingsSchema,
  credentials: sourceCredentialsSchema.optional(),
  access: fields.access.default(null),
  schedule: fields.schedule.default(null),
  time_zone: fields.time_zone.default('UTC'),
  removal: fields.removal.default('full'),
  state: fields.state.default('active'),
});

/** Body of `PATCH /v1/sources/{id}`: what is absent stays; credentials of null are forgotten. */
export const changeSourceSchema = z.strictObject({
  name: fields.name.optional(),
  settings: sourceSettingsSchema.optional(),
  credentials: sourceCredentialsSchema.nullable().optional(),
  access: fields.access.optional(),
  schedule: fields.schedule.optional(),
  time_zone: fields.time_zone.optional(),
  removal: fields.removal.optional(),
  state: fields.state.optional(),
});

/** How a run went. found = changed + unchanged + failed, once it has ended. */
export const sourceRunSchema = z.object({
  id: z.string(),
  state: z.enum(['running', 'done', 'failed', 'interrupted']),
  reason: z.string().nullable().describe('Why it failed as a whole.'),
  complete: z.boolean().describe('Whether everything that the source has is in the collection.'),
  found: z.int(),
  changed: z.int(),
  unchanged: z.int(),
  removed: z.int(),
  failed: z.int(),
  failures: z.array(z.object({ key: z.string(), reason: z.string() })).describe('The first 100.'),
  listed: z.object({ complete: z.boolean(), reason: z.string().nullable() }),
  check: z
    .object({ expected: z.int(), missing: z.array(z.string()) })
    .nullable()
    .describe('Documents that should be in the collection and its index after the run, and the first that are not.'),
  started_at: z.string(),
  ended_at: z.string().nullable(),
});

/** A source as administrators see it. Credentials are never told. */
export const sourceSchema = z.object({
  id: z.string(),
  name: z.string(),
  collection: z.string(),
  settings: sourceSettingsSchema,
  has_credentials: z.boolean(),
  access: access.nullable(),
  schedule: z.string().nullable(),
  time_zone: z.string(),
  removal: z.enum(REMOVAL_POLICIES),
  state: z.enum(['active', 'paused', 'deleting']),
  pause_reason: z.string().nullable(),
  running: z.boolean(),
  next_run_at: z.string().nullable(),
  last_run: sourceRunSchema.nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  created_by: z.string(),
});

export const sourcePageQuery = z.object({
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});
export const sourceRunPageQuery = z.object({
  before: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
export const deleteSourceQuery = z.object({ documents: z.enum(['delete', 'keep']).default('delete') });
