import { z } from 'zod';
import { OWN_WIRES, WIRES } from '../spec/wire.ts';
import { milliseconds } from './route-schema.ts';

const dollarsPerMillion = z.number().min(0).max(1_000_000);
const httpUrl = z.url({ protocol: /^https?$/ });

const timeouts = z
  .strictObject({
    connect_ms: milliseconds.optional().describe('Until the TCP connection stands. Default 5000.'),
    first_byte_ms: milliseconds.optional().describe('Until the first data of the answer. Default 120000.'),
    between_data_ms: milliseconds
      .optional()
      .describe('Between two pieces of data of a stream; comments and pings do not count. Default 60000.'),
  })
  .describe('How long to wait for the upstream.');

export const priceSchema = z
  .strictObject({
    input_per_million: dollarsPerMillion,
    output_per_million: dollarsPerMillion,
    cached_input_per_million: dollarsPerMillion.optional(),
    cache_write_per_million: dollarsPerMillion.optional(),
    long_cache_write_per_million: dollarsPerMillion.optional().describe('Cache kept for an hour.'),
    audio_input_per_million: dollarsPerMillion.optional(),
    audio_output_per_million: dollarsPerMillion.optional(),
    image_input_per_million: dollarsPerMillion.optional(),
    image_output_per_million: dollarsPerMillion.optional(),
    per_thousand_searches: dollarsPerMillion.optional().describe('Rerank calls billed by the search.'),
  })
  .describe('US dollars per million tokens; comes before the bundled price file.');

const endpoints = z
  .union([
    z.strictObject({ list: z.array(httpUrl).min(1).max(100) }),
    z
      .strictObject({ dns: z.string().min(1).max(253), port: z.int().min(1).max(65_535) })
      .describe('A and AAAA records.'),
    z.strictObject({ srv: z.string().min(1).max(253) }).describe('SRV records: _llm._tcp.example.internal'),
    z
      .strictObject({
        consul: httpUrl,
        service: z.string().min(1).max(128),
        tag: z.string().min(1).max(128).optional(),
        token: z.string().min(1).optional(),
      })
      .describe("Healthy instances of a service in Consul's catalogue."),
  ])
  .and(z.object({ refresh_s: z.int().min(1).max(86_400).optional().describe('Default 30.') }))
  .describe('The places where the provider answers, in place of the host of base_url.');

/** One upstream endpoint. */
export const providerSchema = z.strictObject({
  wire: z.enum(WIRES).exclude(OWN_WIRES).describe('The HTTP dialect the endpoint speaks.'),
  base_url: httpUrl.optional().describe("For example https://api.openai.com/v1. Default: the vendor's own address."),
  api_key: z.string().min(1).optional().describe('The credential; write ${env:NAME} rather than the value.'),
  flavour: z.enum(['standard', 'azure']).optional().describe('How the openai wire is addressed. Default standard.'),
  api_version: z.string().optional().describe('The api-version of an Azure endpoint.'),
  forms: z
    .array(z.enum(['responses', 'completions']))
    .max(2)
    .optional()
    .describe(
      'What an endpoint of the openai wire takes beside chat. Default: responses at OpenAI and Azure, else none.',
    ),
  rerank: z
    .enum(['documents', 'texts'])
    .optional()
    .describe(
      'What an endpoint of the openai wire calls the texts it reranks: documents at Jina, vLLM, Infinity and others, ' +
        'texts at Text Embeddings Inference. Default documents.',
    ),
  aws: z
    .strictObject({
      region: z.string().regex(/^[a-z0-9-]{1,64}$/, 'a region as ap-northeast-1'),
      access_key_id: z.string().min(1).optional(),
      secret_access_key: z.string().min(1).optional(),
      session_token: z.string().min(1).optional(),
    })
    .optional()
    .describe('For the bedrock wire: signed calls. With api_key instead of keys, a bearer token.'),
  idle_unload_s: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe('kserve: unload a model that nobody asked for so long.'),
  headers: z.record(z.string(), z.string()).optional().describe('More headers for each upstream call.'),
  models: z.array(z.string().min(1)).max(1000).optional().describe('Models on offer; absent: what the upstream lists.'),
  prices: z.record(z.string(), priceSchema).optional().describe('Prices by model name.'),
  timeouts: timeouts.optional(),
  endpoints: endpoints.optional(),
});

export type ProviderConfig = z.infer<typeof providerSchema>;
export type PriceConfig = z.infer<typeof priceSchema>;
