import { z } from 'zod';
import { accessName } from './keys.ts';

/** What a collection may be called. */
export const collectionName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, ".", "_" and "-", 64 at most, a letter or digit first');

/** Who may find a document. */
export const accessSchema = z
  .strictObject({
    roles: z.array(accessName).max(20).optional(),
    groups: z.array(accessName).max(100).optional(),
    attributes: z.record(accessName, z.array(accessName).max(50)).optional(),
  })
  .describe('Callers with one of the roles, groups or attribute values, and administrators; nobody else.');

/** Body of `PATCH /v1/collections/{collection}/documents/{id}`: what is absent stays. */
export const amendRequestSchema = z
  .strictObject({
    metadata: z.record(z.string(), z.unknown()).optional(),
    access: accessSchema.nullable().optional().describe('null opens the document to every caller of the collection.'),
  })
  .refine(({ metadata, access }) => metadata !== undefined || access !== undefined, 'metadata or access is required');

/** Body of `POST /v1/index`. */
export const indexRequestSchema = z.strictObject({
  documents: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(512).optional(),
        title: z.string().max(1_000).optional(),
        content: z.string().min(1).max(10_000_000),
        metadata: z.record(z.string(), z.unknown()).optional(),
        access: accessSchema.nullable().optional().describe('Absent: as it was; null: every caller of the collection.'),
      }),
    )
    .min(1)
    .max(1_000),
  collection_name: collectionName.default('default'),
});

/** What became of the documents. */
export const indexResponseSchema = z.object({
  collection_name: z.string(),
  indexed: z.int(),
  unchanged: z.int(),
  failed: z.array(
    z.object({
      id: z.string(),
      reason: z.string(),
      retryable: z.literal(true).optional().describe('Given where the same may succeed later.'),
    }),
  ),
  chunks: z.int(),
  processing_time: z.number().describe('Seconds.'),
});
