import { z } from 'zod';
import { WIRES } from '../spec/wire.ts';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, ".", "_" and "-", 64 at most, a letter or digit first');
const targetName = z.string().regex(/^[^/\s]+\/\S+$/, 'must be "provider/model"');
const milliseconds = z.int().min(1).max(3_600_000);
const dollarsPerMillion = z.number().min(0);

const timeouts = z
  .strictObject({
    connect_ms: milliseconds.optional().describe('Until the TCP connection stands. Default 5000.'),
    first_byte_ms: milliseconds.optional().describe('Until the first data of the answer. Default 120000.'),
    between_data_ms: milliseconds
      .optional()
      .describe('Between two pieces of data of a stream; comments and pings do not count. Default 60000.'),
  })
  .describe('How long to wait for the upstream.');

const price = z
  .strictObject({
    input_per_million: dollarsPerMillion,
    output_per_million: dollarsPerMillion,
    cached_input_per_million: dollarsPerMillion.optional(),
    cache_write_per_million: dollarsPerMillion.optional(),
  })
  .describe('US dollars per million tokens; comes before the bundled price file.');

const provider = z.strictObject({
  wire: z.enum(WIRES).exclude(['extractive', 'static']).describe('The HTTP dialect the endpoint speaks.'),
  base_url: z.url({ protocol: /^https?$/ }).describe('For example https://api.openai.com/v1'),
  api_key: z.string().min(1).optional().describe('The credential; write ${env:NAME} rather than the value.'),
  flavour: z.enum(['standard', 'azure']).optional().describe('How the openai wire is addressed. Default standard.'),
  api_version: z.string().optional().describe('The api-version of an Azure endpoint.'),
  headers: z.record(z.string(), z.string()).optional().describe('More headers for each upstream call.'),
  models: z.array(z.string().min(1)).max(1000).optional().describe('Models on offer; absent: what the upstream lists.'),
  prices: z.record(z.string(), price).optional().describe('Prices by model name.'),
  timeouts: timeouts.optional(),
});

const retry = z.strictObject({
  attempts: z.int().min(1).max(10).optional().describe('Calls to one target before the next one is tried. Default 2.'),
  base_delay_ms: milliseconds.optional().describe('First delay, doubled each time, with full jitter. Default 250.'),
  max_delay_ms: milliseconds
    .optional()
    .describe('Longest delay; a longer Retry-After falls back at once. Default 8000.'),
});

const route = z.union([
  z.array(targetName).min(1).max(20).describe('Targets in the order of fallback.'),
  z.strictObject({
    targets: z.array(targetName).min(1).max(20).describe('Targets in the order of fallback.'),
    description: z.string().max(500).optional(),
    retry: retry.optional(),
  }),
]);

/** The schema of `sekisho.yaml`. Strict throughout: a misspelt field is a problem, not silence. */
export const configSchema = z
  .strictObject({
    server: z
      .strictObject({
        host: z.string().optional().describe('Address to listen on. Default 127.0.0.1; 0.0.0.0 for everyone.'),
        port: z.int().min(0).max(65535).optional().describe('Default 8910; the variable PORT comes first.'),
        max_body_bytes: z.int().min(1024).max(1_073_741_824).optional().describe('Default 33554432 (32 MiB).'),
      })
      .optional(),
    providers: z.record(name, provider).optional().describe('Upstream endpoints by name.'),
    routes: z
      .record(z.string().min(1).max(128), route)
      .optional()
      .describe('Public model names and the targets they resolve to.'),
    discover: z.boolean().optional().describe('Whether providers are found from well-known variables. Default true.'),
    retry: retry.optional().describe('Default for every route.'),
    answers: z
      .strictObject({
        route: z.string().optional().describe('Model that writes answers from documents. Default: extractive.'),
      })
      .optional(),
    embedding: z
      .strictObject({ route: z.string().optional().describe('Model for new collections. Default: static-en-ja.') })
      .optional(),
    handbook: z
      .boolean()
      .optional()
      .describe('Whether the pages about Sekisho itself are kept in the collection handbook. Default true.'),
    logging: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
      })
      .optional(),
  })
  .meta({ title: 'Sekisho configuration', description: 'sekisho.yaml' });

/** The schema as JSON Schema, which editors read. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

export type FileConfig = z.infer<typeof configSchema>;
export type RetryConfig = z.infer<typeof retry>;
export type ProviderConfig = z.infer<typeof provider>;
