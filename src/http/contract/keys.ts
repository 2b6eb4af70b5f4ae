import { z } from 'zod';
import { limitsSchema } from '../../config/limits-schema.ts';

/** Names are shown in tables and terminals: one line, nothing that a terminal acts on. */
const oneLine = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, 'must be one line of visible characters');
const tags = z.array(z.string().min(1).max(100)).max(50).describe('Words that routing conditions can name.');

/** Names of groups and attributes are compared letter by letter: no white space at the ends, nothing invisible. */
export const accessName = oneLine;
export const groups = z.array(accessName).max(100).describe('Groups that documents can be opened to.');
export const attributes = z
  .record(accessName, z.array(accessName).max(50))
  .refine((object) => Object.keys(object).length <= 20, 'has more than 20 names')
  .describe('Attributes that documents can be opened to, each with its values.');

/** For whom a caller acts; as a field of a body, or as JSON in the header `x-sekisho-as`. */
export const actingAsSchema = z
  .strictObject({ groups: groups.default([]), attributes: attributes.default({}) })
  .describe('Answer with the rights of an end user: these groups and attributes, and no others.');

/** Body of `POST /v1/keys`. Times are ISO 8601, money is in dollars. */
export const createKeySchema = z.strictObject({
  name: oneLine,
  role: z.enum(['admin', 'member']).default('member'),
  allowed_routes: z.array(z.string().min(1).max(200)).max(100).default([]),
  expires_at: z.iso.datetime({ offset: true }).optional(),
  limits: limitsSchema.default({}),
  team: oneLine.optional().describe('The team within the tenant; it may have limits of its own.'),
  tags: tags.default([]),
  groups: groups.default([]),
  attributes: attributes.default({}),
});

/** Body of `PATCH /v1/keys/{id}`: what is absent stays, null takes away. */
export const changeKeySchema = z.strictObject({
  name: oneLine.optional(),
  role: z.enum(['admin', 'member']).optional(),
  allowed_routes: z.array(z.string().min(1).max(200)).max(100).optional(),
  expires_at: z.iso.datetime({ offset: true }).nullable().optional(),
  limits: limitsSchema.optional().describe('Replaces all limits of the key.'),
  team: oneLine.nullable().optional(),
  tags: tags.optional(),
  groups: groups.optional(),
  attributes: attributes.optional(),
});

/** A key as administrators see it. */
export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  hint: z.string().describe('The first characters of the key.'),
  role: z.enum(['admin', 'member']),
  allowed_routes: z.array(z.string()),
  limits: limitsSchema,
  team: z.string().nullable(),
  tags: z.array(z.string()),
  groups: z.array(z.string()),
  attributes: z.record(z.string(), z.array(z.string())),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});

/** A new key; `key` is shown this once. */
export const newKeySchema = keySchema.extend({ key: z.string() });
