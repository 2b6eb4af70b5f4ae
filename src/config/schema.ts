import { z } from 'zod';
import { jobsSchema } from './job-settings.ts';
import { limitsSchema } from './limits-schema.ts';
import { providerSchema } from './provider-schema.ts';
import { milliseconds, retrySchema, routeSchema, targetName, targetPolicySchema } from './route-schema.ts';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, ".", "_" and "-", 64 at most, a letter or digit first');
const limitsBySubject = z.record(z.string().min(1).max(200), limitsSchema).optional();
/** Also what the variable DATABASE_URL must look like. */
export const POSTGRES_URL = /^postgres(ql)?:\/\//;
const httpUrl = z.url({ protocol: /^https?$/ });
const headers = z.record(z.string(), z.string()).optional();

const logSink = z.union([
  z.strictObject({ type: z.literal('stderr') }),
  z.strictObject({ type: z.literal('file'), path: z.string().min(1) }),
  z
    .strictObject({ type: z.literal('http'), url: httpUrl, headers })
    .describe("JSON lines to an address, for example Logstash's http input."),
  z
    .strictObject({ type: z.literal('elasticsearch'), url: httpUrl, index: z.string().min(1).optional(), headers })
    .describe('The bulk interface of Elasticsearch and OpenSearch.'),
]);

/** The schema of `sekisho.yaml`. Strict throughout: a misspelt field is a problem, not silence. */
export const configSchema = z
  .strictObject({
    server: z
      .strictObject({
        host: z.string().optional().describe('Address to listen on. Default 127.0.0.1; 0.0.0.0 for everyone.'),
        port: z.int().min(0).max(65535).optional().describe('Default 8910; the variable PORT comes first.'),
        idle_timeout_s: z
          .int()
          .min(1)
          .max(255)
          .optional()
          .describe('How long a connection without a valid key may be silent. Default 60.'),
        upstream_hosts: z
          .array(z.string().regex(/^[A-Za-z0-9*.:[\]-]{1,253}$/))
          .max(1000)
          .optional()
          .describe('Hosts that providers made over the API may name, beside the known vendors; "*" is one label.'),
        body_timeout_s: z
          .int()
          .min(1)
          .max(3600)
          .optional()
          .describe('How long a body may take, beside a second for every 64 KiB of it. Default 30.'),
        max_body_bytes: z.int().min(1024).max(1_073_741_824).optional().describe('Default 33554432 (32 MiB).'),
      })
      .optional(),
    providers: z.record(name, providerSchema).optional().describe('Upstream endpoints by name.'),
    routes: z
      .record(z.string().min(1).max(128), routeSchema)
      .optional()
      .describe('Public model names and the targets they resolve to; a name may end in "*".'),
    targets: z
      .record(targetName, targetPolicySchema)
      .optional()
      .describe('What holds for a target, or with "provider/*" for all of a provider.'),
    limits: z
      .strictObject({
        tenants: limitsBySubject,
        teams: limitsBySubject,
        keys: limitsBySubject,
        users: limitsBySubject,
        routes: limitsBySubject,
        targets: limitsBySubject,
      })
      .optional()
      .describe('Limits and budgets by name; "*" holds for whoever has none of its own.'),
    database: z
      .strictObject({
        url: z.string().regex(POSTGRES_URL, 'must begin with postgres:// or postgresql://').optional(),
        max_connections: z.int().min(1).max(1_000).optional().describe('Of this process, at most. Default 10.'),
        statement_timeout_ms: z
          .int()
          .min(100)
          .max(600_000)
          .optional()
          .describe('What one statement may take, waiting for locks included. Default 5000.'),
      })
      .optional()
      .describe(
        'Postgres for the state that all replicas share; the variable DATABASE_URL too. Default: the data folder.',
      ),
    redis: z
      .strictObject({
        url: z.string().regex(/^rediss?:\/\//, 'must begin with redis:// or rediss://'),
        prefix: z.string().max(64).optional().describe('Begins every key. Default "sekisho:".'),
        when_down: z
          .enum(['count-alone', 'refuse'])
          .optional()
          .describe(
            'Requests, tokens and concurrency while Redis is down: each replica counts alone (default), or 503. Budgets are always refused.',
          ),
      })
      .optional()
      .describe('Shared counters and cache of all replicas. Without it this process counts alone.'),
    cache: z
      .strictObject({
        memory_mb: z.int().min(0).max(65_536).optional().describe('What the cache may take in memory. Default 64.'),
        ttl_s: z.int().min(1).max(2_592_000).optional().describe('Default for requests that ask to be cached.'),
        embeddings: z
          .boolean()
          .optional()
          .describe(
            'Whether embeddings of remote models are kept, in memory and in the data folder or Redis. Default true.',
          ),
      })
      .optional(),
    batching: z
      .strictObject({
        wait_ms: z
          .number()
          .min(0)
          .max(1_000)
          .optional()
          .describe('How long a small embedding call waits for others. Default 3.'),
        max_inputs: z
          .int()
          .min(1)
          .max(2_048)
          .optional()
          .describe('Inputs of one upstream call. Default 256; 1 turns it off.'),
      })
      .optional(),
    breaker: z
      .strictObject({
        failure_share: z
          .number()
          .min(0.01)
          .max(1)
          .optional()
          .describe('Share of failed calls that opens it. Default 0.5.'),
        minimum_calls: z.int().min(1).max(10_000).optional().describe('Calls needed to judge. Default 10.'),
        window_ms: milliseconds.optional().describe('Default 10000.'),
        open_ms: milliseconds.optional().describe('Time until a probe is let through. Default 5000.'),
      })
      .optional()
      .describe('When a target counts as ill.'),
    health: z
      .strictObject({ interval_s: z.int().min(1).max(86_400).optional().describe('Default: no active checks.') })
      .optional()
      .describe('Endpoints are asked whether they answer, also when no call goes there.'),
    discover: z.boolean().optional().describe('Whether providers are found from well-known variables. Default true.'),
    retry: retrySchema
      .extend({
        share: z.number().min(0).max(1).optional().describe('Retries as a share of calls, at most. Default 0.1.'),
      })
      .optional()
      .describe('Default for every route.'),
    answers: z
      .strictObject({
        route: z.string().optional().describe('Model that writes answers from documents. Default: extractive.'),
      })
      .optional(),
    embedding: z
      .strictObject({ route: z.string().optional().describe('Model for new collections. Default: static-en-ja.') })
      .optional(),
    evaluation: z
      .strictObject({
        max_drop: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .describe('How far nDCG@10 may fall when a new index takes the place of the old. Default 0.02.'),
      })
      .optional(),
    models: z
      .strictObject({
        folder: z.string().min(1).optional().describe('Where ONNX models lie. Default: models in the data folder.'),
      })
      .optional(),
    jobs: jobsSchema,
    sources: z
      .strictObject({
        folders: z
          .array(z.string().min(1))
          .max(1_000)
          .optional()
          .describe('Folders that sources may read, with everything below. Default: inbox in the data folder.'),
        hosts: z
          .array(z.string().regex(/^[A-Za-z0-9*.:[\]-]{1,253}$/))
          .max(1_000)
          .optional()
          .describe('Hosts with private addresses that sources may fetch from; "*" is one label. Default: none.'),
      })
      .optional()
      .describe('What sources made over the API may reach.'),
    handbook: z
      .boolean()
      .optional()
      .describe('Whether the pages about Sekisho itself are kept in the collection handbook. Default true.'),
    logging: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
        sinks: z.array(logSink).min(1).max(10).optional().describe('Where log lines go. Default: standard error.'),
      })
      .optional(),
    tracing: z
      .strictObject({
        otlp_url: httpUrl.describe('OTLP over HTTP: http://localhost:4318/v1/traces'),
        headers,
        sample: z.number().min(0).max(1).optional().describe('Share of calls that are traced. Default 1.'),
      })
      .optional()
      .describe('OpenTelemetry spans of every call. Off unless given.'),
  })
  .meta({ title: 'Sekisho configuration', description: 'sekisho.yaml' });

/** The schema as JSON Schema, which editors read. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

export type FileConfig = z.infer<typeof configSchema>;
