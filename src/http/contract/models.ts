import { z } from 'zod';

/** A model as `GET /v1/models` lists it. */
export const modelSchema = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  kinds: z.array(z.enum(['chat', 'embedding', 'collection'])),
  description: z.string().optional(),
});

/** The fields of a chat completions call that Sekisho reads; every other one passes through to a target of the same wire. */
export const chatRequestSchema = z.looseObject({
  model: z.string().describe('A route, provider/model, or rag/<collection>.'),
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  stream: z.boolean().optional(),
});

/** The fields of an embeddings call. */
export const embeddingsRequestSchema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2_048)]),
  encoding_format: z.enum(['float', 'base64']).optional(),
  dimensions: z.int().optional(),
});

/** The fields of a responses call that Sekisho reads. */
export const responsesRequestSchema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.looseObject({ type: z.string().optional() })).min(1)]),
  instructions: z.string().optional(),
  stream: z.boolean().optional(),
});

/** The fields of a completions call that Sekisho reads. */
export const completionsRequestSchema = z.looseObject({
  model: z.string(),
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(2_048)]),
  stream: z.boolean().optional(),
});

/** A call for counting, in the Anthropic dialect. */
export const countTokensResponseSchema = z.object({ input_tokens: z.int() });

/** A rerank call, in the shape that Cohere and Jina share. */
export const rerankRequestSchema = z.object({
  model: z.string(),
  query: z.string(),
  documents: z
    .array(z.union([z.string(), z.looseObject({ text: z.string() })]))
    .min(1)
    .max(10_000),
  top_n: z.int().min(1).optional(),
  return_documents: z.boolean().default(false),
});
export const rerankResponseSchema = z.object({
  id: z.string(),
  model: z.string(),
  results: z.array(
    z.object({ index: z.int(), relevance_score: z.number(), document: z.looseObject({ text: z.string() }).optional() }),
  ),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  meta: z.object({ billed_units: z.record(z.string(), z.number()) }),
});

/** What an error looks like to every caller but those of `/v1/messages`. */
export const errorSchema = z.object({
  error: z.object({
    message: z.string().describe('English or Japanese, by Accept-Language.'),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().describe('See the reference of errors.'),
    request_id: z.string(),
  }),
});
