import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const OVERHEAD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576];

/** Every metric that `/metrics` shows. Names with `gen_ai` follow OpenTelemetry's conventions for generative AI. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: 'llm_requests_total',
      help: 'Model calls by route, target and outcome (ok, error, aborted).',
      labelNames: ['route', 'target', 'outcome'] as const,
      registers,
    }),
    latency: new Histogram({
      name: 'llm_latency_seconds',
      help: 'Time from the arrival of a model call to the end of its answer.',
      labelNames: ['route', 'target'] as const,
      buckets: SECONDS,
      registers,
    }),
    tokens: new Counter({
      name: 'llm_tokens_used_total',
      help: 'Tokens used, by type (input, output).',
      labelNames: ['route', 'target', 'type'] as const,
      registers,
    }),
    cost: new Counter({
      name: 'llm_cost_dollars_total',
      help: 'US dollars spent on models with a known price.',
      labelNames: ['route', 'target'] as const,
      registers,
    }),
    unpriced: new Counter({
      name: 'llm_unpriced_requests_total',
      help: 'Model calls whose model has no known price.',
      labelNames: ['target'] as const,
      registers,
    }),
    failedAttempts: new Counter({
      name: 'llm_failed_attempts_total',
      help: 'Upstream attempts that failed, by target and error code.',
      labelNames: ['target', 'error_type'] as const,
      registers,
    }),
    overhead: new Histogram({
      name: 'sekisho_overhead_seconds',
      help: 'Own time of a model call: its whole time without the time spent waiting for upstreams.',
      buckets: OVERHEAD_SECONDS,
      registers,
    }),
    genAiDuration: new Histogram({
      name: 'gen_ai_server_request_duration_seconds',
      help: 'Duration of model calls.',
      labelNames: ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'error_type'] as const,
      buckets: SECONDS,
      registers,
    }),
    genAiFirstToken: new Histogram({
      name: 'gen_ai_server_time_to_first_token_seconds',
      help: 'Time to the first data of streamed answers.',
      labelNames: ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const,
      buckets: SECONDS,
      registers,
    }),
    genAiTokens: new Histogram({
      name: 'gen_ai_client_token_usage',
      help: 'Tokens per model call, by gen_ai_token_type (input, output).',
      labelNames: [
        'gen_ai_operation_name',
        'gen_ai_provider_name',
        'gen_ai_request_model',
        'gen_ai_token_type',
      ] as const,
      buckets: TOKENS,
      registers,
    }),
    ragQueries: new Counter({
      name: 'rag_queries_total',
      help: 'Questions to collections, by collection and outcome (answered, not_answered, error).',
      labelNames: ['collection', 'outcome'] as const,
      registers,
    }),
    ragDuration: new Histogram({
      name: 'rag_query_duration_seconds',
      help: 'Time of a question to a collection, by component.',
      labelNames: ['component'] as const,
      buckets: [...OVERHEAD_SECONDS, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    openStreams: new Gauge({ name: 'llm_open_streams', help: 'Streams that are being answered now.', registers }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
