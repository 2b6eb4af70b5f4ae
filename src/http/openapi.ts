import { z } from 'zod';
import { limitsSchema } from '../config/limits-schema.ts';
import { priceSchema, providerSchema } from '../config/provider-schema.ts';
import { detailedRouteSchema, targetPolicySchema } from '../config/route-schema.ts';
import { indexRequestSchema, indexResponseSchema } from './contract/documents.ts';
import {
  searchRequestSchema,
  searchResponseSchema,
  whyNotRequestSchema,
  whyNotResponseSchema,
} from './contract/search.ts';
import {
  cacheStatsSchema,
  invalidatedSchema,
  invalidateSchema,
  managedFields,
  providerTestSchema,
  targetHealthSchema,
} from './contract/admin.ts';
import { changeKeySchema, createKeySchema, keySchema, newKeySchema } from './contract/keys.ts';
import {
  chatRequestSchema,
  completionsRequestSchema,
  countTokensResponseSchema,
  embeddingsRequestSchema,
  errorSchema,
  modelSchema,
  rerankRequestSchema,
  rerankResponseSchema,
  responsesRequestSchema,
} from './contract/models.ts';
import { JOB_OPERATIONS } from './job-operations.ts';
import { DOCUMENT_OPERATIONS } from './document-operations.ts';
import { isIdempotentPath } from './middleware/idempotency.ts';
import { EVALUATION_OPERATIONS } from './evaluation-operations.ts';
import type { Operation } from './operation.ts';
import { SOURCE_OPERATIONS } from './source-operations.ts';
import { queryRequestSchema, queryResponseSchema } from './contract/query.ts';
import { usageExportQuerySchema, usageQuerySchema, usageResponseSchema } from './contract/usage.ts';
import {
  embedRequestSchema,
  embedResponseSchema,
  generateRequestSchema,
  generateResponseSchema,
  summarizeRequestSchema,
  summarizeResponseSchema,
} from './contract/tasks.ts';

/** What callers may send along with a call that is paid, and what tells them that it was answered before. */
const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The first answer to a key is given again for 24 hours; a call made twice is paid once.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
};
const IDEMPOTENT_REPLAY = {
  'x-sekisho-idempotent-replay': {
    description: 'Says "true" where the answer was given before, to the same Idempotency-Key.',
    schema: { type: 'string', enum: ['true'] },
  },
};

/** List, set and remove: what every kind of setting has. */
function settingOperations(kind: string, words: { path: string; one: string }, body: z.ZodType): Operation[] {
  const { path, one } = words;
  const setting = managedFields.extend({ value: z.record(z.string(), z.unknown()) });
  const list = z.object({ data: z.array(setting) });
  const inForce = 'in force at once, and within a second in every process';
  return [
    { method: 'get', path, tag: 'Administration', summary: `Every ${kind}, with where it was set`, answer: list },
    {
      method: 'put',
      path: `${path}/${one}`,
      tag: 'Administration',
      summary: `Set a ${kind}; ${inForce}`,
      body,
      answer: setting,
    },
    {
      method: 'delete',
      path: `${path}/${one}`,
      tag: 'Administration',
      summary: `Take a ${kind} back; what the file says of it holds again`,
      answer: z.object({ name: z.string(), deleted: z.literal(true) }),
    },
  ];
}

const ADMINISTRATION: readonly Operation[] = [
  ...settingOperations('provider', { path: '/v1/providers', one: '{name}' }, providerSchema),
  {
    method: 'post',
    path: '/v1/providers/{name}/test',
    tag: 'Administration',
    summary: 'Ask a provider for its models',
    answer: providerTestSchema,
  },
  ...settingOperations('route', { path: '/v1/routes', one: '{name}' }, detailedRouteSchema),
  ...settingOperations('target', { path: '/v1/targets', one: '{name}' }, targetPolicySchema),
  {
    method: 'get',
    path: '/v1/targets/health',
    tag: 'Administration',
    summary: 'Health of the targets that were called: breakers, calls in flight, latency',
    answer: z.object({ data: z.array(targetHealthSchema) }),
  },
  {
    method: 'post',
    path: '/v1/targets/{name}/reset',
    tag: 'Administration',
    summary: 'Close the breaker of a target',
    answer: z.object({ target: z.string(), state: z.literal('closed') }),
  },
  ...settingOperations('limit', { path: '/v1/limits', one: '{name}' }, limitsSchema),
  ...settingOperations('price', { path: '/v1/prices', one: '{name}' }, priceSchema),
  {
    method: 'get',
    path: '/v1/cache',
    tag: 'Administration',
    summary: 'What the caches hold of the tenant, hits and misses',
    answer: cacheStatsSchema,
  },
  {
    method: 'post',
    path: '/v1/cache/invalidate',
    tag: 'Administration',
    summary: 'Forget answers by pattern, route, tag or document, or all',
    body: invalidateSchema,
    answer: invalidatedSchema,
  },
];

/** Every address of the server, in the order in which a newcomer meets them. */
const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/chat/completions',
    tag: 'Models',
    summary: 'Chat, in the OpenAI dialect',
    body: chatRequestSchema,
    media: 'stream',
  },
  {
    method: 'post',
    path: '/v1/messages',
    tag: 'Models',
    summary: 'Chat, in the Anthropic dialect',
    body: chatRequestSchema,
    media: 'stream',
  },
  {
    method: 'post',
    path: '/v1/messages/count_tokens',
    tag: 'Models',
    summary: 'Tokens of a chat before it is sent, in the Anthropic dialect',
    body: chatRequestSchema,
    answer: countTokensResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/responses',
    tag: 'Models',
    summary: 'Chat, in the OpenAI dialect of responses',
    body: responsesRequestSchema,
    media: 'stream',
  },
  {
    method: 'post',
    path: '/v1/completions',
    tag: 'Models',
    summary: 'Text for a prompt, in the OpenAI dialect from before chats',
    body: completionsRequestSchema,
    media: 'stream',
  },
  { method: 'post', path: '/v1/embeddings', tag: 'Models', summary: 'Embeddings', body: embeddingsRequestSchema },
  {
    method: 'post',
    path: '/v1/rerank',
    tag: 'Models',
    summary: 'Which texts answer a query best; /v2/rerank is the same',
    body: rerankRequestSchema,
    answer: rerankResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/generate',
    tag: 'Tasks',
    summary: 'Text for a prompt',
    body: generateRequestSchema,
    answer: generateResponseSchema,
    media: 'stream',
  },
  {
    method: 'post',
    path: '/v1/summarize',
    tag: 'Tasks',
    summary: 'A summary, by a model or of the sentences of the text itself',
    body: summarizeRequestSchema,
    answer: summarizeResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/embed',
    tag: 'Tasks',
    summary: 'Texts as vectors',
    body: embedRequestSchema,
    answer: embedResponseSchema,
  },
  {
    method: 'get',
    path: '/v1/models',
    tag: 'Models',
    summary: 'Models that the key may use',
    answer: z.object({ object: z.literal('list'), data: z.array(modelSchema) }),
  },
  { method: 'get', path: '/v1/models/{id}', tag: 'Models', summary: 'One model', answer: modelSchema },
  {
    method: 'post',
    path: '/v1/query',
    tag: 'Answers',
    summary: 'Answer a question from a collection, with citations',
    body: queryRequestSchema,
    answer: queryResponseSchema,
    media: 'stream',
  },
  {
    method: 'post',
    path: '/v1/search',
    tag: 'Answers',
    summary: 'Passages for a question, without an answer',
    body: searchRequestSchema,
    answer: searchResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/search/why-not',
    tag: 'Answers',
    summary: 'Why a document is not among the passages of a question',
    body: whyNotRequestSchema,
    answer: whyNotResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/index',
    tag: 'Documents',
    summary: 'Index documents',
    body: indexRequestSchema,
    answer: indexResponseSchema,
  },
  {
    method: 'post',
    path: '/v1/collections/{collection}/files',
    tag: 'Documents',
    summary: 'Upload and index files',
    media: 'multipart',
    answer: indexResponseSchema,
  },
  ...JOB_OPERATIONS,
  ...DOCUMENT_OPERATIONS,
  ...SOURCE_OPERATIONS,
  ...EVALUATION_OPERATIONS,
  {
    method: 'post',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'Create a key',
    body: createKeySchema,
    answer: newKeySchema,
    status: 201,
  },
  {
    method: 'get',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'Keys of the tenant',
    answer: z.object({ data: z.array(keySchema) }),
  },
  { method: 'get', path: '/v1/keys/{id}', tag: 'Keys', summary: 'One key', answer: keySchema },
  {
    method: 'patch',
    path: '/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Change a key; what is absent stays',
    body: changeKeySchema,
    answer: keySchema,
  },
  {
    method: 'post',
    path: '/v1/keys/{id}/rotate',
    tag: 'Keys',
    summary: 'Give a key a new secret; the old one ends at once',
    answer: newKeySchema,
  },
  {
    method: 'delete',
    path: '/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Revoke a key',
    answer: z.object({ id: z.string(), revoked: z.literal(true) }),
  },
  {
    method: 'get',
    path: '/v1/usage',
    tag: 'Keys',
    summary: 'Usage and cost, by team, key, user, route, target, model or day, or by two of them',
    query: usageQuerySchema,
    answer: usageResponseSchema,
  },
  {
    method: 'get',
    path: '/v1/usage/export',
    tag: 'Keys',
    summary: 'The ledger of a period, as CSV, JSON lines or JSON',
    query: usageExportQuerySchema,
    media: 'text',
  },
  ...ADMINISTRATION,
  { method: 'get', path: '/health', tag: 'Operations', summary: 'The process is alive', open: true },
  { method: 'get', path: '/ready', tag: 'Operations', summary: 'The process can serve', open: true },
  { method: 'get', path: '/metrics', tag: 'Operations', summary: 'Metrics for Prometheus', media: 'text', open: true },
  { method: 'get', path: '/openapi.json', tag: 'Operations', summary: 'This description', open: true },
  {
    method: 'get',
    path: '/sekisho.schema.json',
    tag: 'Operations',
    summary: 'JSON Schema of sekisho.yaml, for editors',
    open: true,
  },
];

/** The description of the HTTP interface (OpenAPI 3.1), made from the schemas that judge the bodies. */
export function openApiDocument(): {
  openapi: string;
  info: object;
  components: object;
  paths: Record<string, Record<string, object>>;
} {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sekisho',
      version: '1',
      description: 'The production backend of an LLM application in one process.',
    },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

/** Whether the call may cost money, so that it is kept from being paid twice. */
function isPaid({ method, path }: Operation): boolean {
  return method === 'post' && isIdempotentPath(path);
}

function describe(operation: Operation): object {
  const { path, query, body, answer, media } = operation;
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
      name: match[1],
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      schema: schemaOf(schema, 'input'),
    })),
    ...(isPaid(operation) ? [IDEMPOTENCY_KEY] : []),
  ];
  const files = {
    'multipart/form-data': {
      schema: { type: 'object', properties: { file: { type: 'array', items: { type: 'string', format: 'binary' } } } },
    },
  };
  const content =
    media === 'multipart'
      ? files
      : body === undefined
        ? undefined
        : { 'application/json': { schema: schemaOf(body, 'input') } };
  return {
    tags: [operation.tag],
    summary: operation.summary,
    operationId: `${operation.method}${path.replace(/[^A-Za-z]+(\w)?/g, (_, next: string | undefined) => (next ?? '').toUpperCase())}`,
    ...(parameters.length > 0 && { parameters }),
    ...(content && { requestBody: { required: true, content } }),
    ...(operation.open !== true && { security: [{ key: [] }] }),
    responses: {
      [String(operation.status ?? 200)]: {
        description: 'Done.',
        ...(isPaid(operation) && { headers: IDEMPOTENT_REPLAY }),
        content: answerContent(answer, media),
      },
      default: {
        description: 'An error.',
        content: { 'application/json': { schema: schemaOf(errorSchema, 'output') } },
      },
    },
  };
}

function answerContent(answer: z.ZodType | undefined, media: Operation['media']): object {
  if (media === 'text') return { 'text/plain': { schema: { type: 'string' } } };
  const schema = answer === undefined ? { type: 'object' } : schemaOf(answer, 'output');
  const events = media === 'stream' ? { 'text/event-stream': { schema: { type: 'string' } } } : {};
  return { 'application/json': { schema }, ...events };
}

function schemaOf(schema: unknown, io: 'input' | 'output'): object {
  if (!(schema instanceof z.ZodType)) return {};
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
