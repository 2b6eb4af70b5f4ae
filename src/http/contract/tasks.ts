import { z } from 'zod';

const MAX_TEXT = 4_000_000;
const modelName = z.string().min(1).max(256);
const usageSchema = z.object({ input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() });

/** `POST /v1/generate`: text for a prompt. */
export const generateRequestSchema = z.strictObject({
  model: modelName
    .optional()
    .describe('A route, provider/model or rag/<collection>; required unless a default is set.'),
  prompt: z.string().min(1).max(MAX_TEXT),
  system: z.string().max(MAX_TEXT).optional(),
  max_tokens: z.int().min(1).max(10_000_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  stream: z.boolean().default(false),
});
export const generateResponseSchema = z.object({
  text: z.string(),
  model: z.string(),
  finish: z.enum(['stop', 'length', 'tool-calls', 'content-filter', 'other']),
  usage: usageSchema,
});

/** How long a summary is, in sentences. */
export const SUMMARY_SENTENCES = { short: 2, medium: 5, long: 10 } as const;

/** `POST /v1/summarize`: what a text says, in the words of a model or, without one, in its own sentences. */
export const summarizeRequestSchema = z.strictObject({
  text: z.string().min(1).max(MAX_TEXT),
  model: modelName.optional().describe('Absent or "extractive": the most telling sentences of the text itself.'),
  length: z.enum(['short', 'medium', 'long']).default('medium'),
  language: z
    .string()
    .min(2)
    .max(40)
    .optional()
    .describe('Of the summary, as a name or tag; absent: that of the text.'),
  style: z.string().min(1).max(500).optional().describe('For example "bullet points" or 「箇条書き」.'),
});
export const summarizeResponseSchema = z.object({
  summary: z.string(),
  model: z.string(),
  usage: usageSchema,
});

/** `POST /v1/embed`: texts as vectors. */
export const embedRequestSchema = z
  .strictObject({
    input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2_048)]).optional(),
    texts: z.array(z.string().min(1)).min(1).max(2_048).optional(),
    model: modelName.optional(),
    purpose: z.enum(['query', 'document']).optional(),
  })
  .refine((body) => (body.input === undefined) !== (body.texts === undefined), 'give either input or texts');
export const embedResponseSchema = z.object({
  embeddings: z.array(z.array(z.number())),
  model: z.string(),
  usage: usageSchema,
});
