import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createCallCounter, createCallHistogram } from './call-metrics.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const JOB_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400];
const OVERHEAD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576];
const SHARES = [0, 0.25, 0.5, 0.75, 0.9, 0.99, 1];
const BATCH_CALLS = [1, 2, 4, 8, 16, 32, 64, 128];

/**
 * Every metric that `/metrics` shows. Names with `gen_ai` follow OpenTelemetry's conventions for generative AI.
 * Those that every call touches are made by label set, as handles; the others are prom-client's own.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: createCallCounter(registry, {
      name: 'llm_requests_total',
      help: 'Model calls by route, target and outcome (ok, error, aborted).',
      labelNames: ['route', 'target', 'outcome'],
    }),
    latency: createCallHistogram(registry, {
      name: 'llm_latency_seconds',
      help: 'Time from the arrival of a model call to the end of its answer.',
      labelNames: ['route', 'target'],
      buckets: SECONDS,
    }),
    tokens: createCallCounter(registry, {
      name: 'llm_tokens_used_total',
      help: 'Tokens used, by type (input, output).',
      labelNames: ['route', 'target', 'type'],
    }),
    cost: createCallCounter(registry, {
      name: 'llm_cost_dollars_total',
      help: 'US dollars spent on models with a known price.',
      labelNames: ['route', 'target'],
    }),
    unpriced: createCallCounter(registry, {
      name: 'llm_unpriced_requests_total',
      help: 'Model calls whose model has no known price.',
      labelNames: ['target'],
    }),
    overhead: createCallHistogram(registry, {
      name: 'sekisho_overhead_seconds',
      help: 'Own time of a model call: its whole time without the time spent waiting for upstreams.',
      labelNames: [],
      buckets: OVERHEAD_SECONDS,
    }),
    genAiDuration: createCallHistogram(registry, {
      name: 'gen_ai_server_request_duration_seconds',
      help: 'Duration of model calls.',
      labelNames: ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'error_type'],
      buckets: SECONDS,
    }),
    genAiFirstToken: createCallHistogram(registry, {
      name: 'gen_ai_server_time_to_first_token_seconds',
      help: 'Time to the first data of streamed answers.',
      labelNames: ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'],
      buckets: SECONDS,
    }),
    genAiTokens: createCallHistogram(registry, {
      name: 'gen_ai_client_token_usage',
      help: 'Tokens per model call, by gen_ai_token_type (input, output).',
      labelNames: ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'gen_ai_token_type'],
      buckets: TOKENS,
    }),
    cacheLooks: createCallCounter(registry, {
      name: 'sekisho_cache_events_total',
      help: 'Looks into the caches, by kind (exact, embedding), level (memory, disk, redis, flight) and outcome (hit, miss, stored, error).',
      labelNames: ['kind', 'level', 'outcome'],
    }),
    batchCalls: createCallHistogram(registry, {
      name: 'sekisho_embedding_batch_calls',
      help: 'Embedding calls that shared one upstream call.',
      labelNames: [],
      buckets: BATCH_CALLS,
    }),
    failedAttempts: new Counter({
      name: 'llm_failed_attempts_total',
      help: 'Upstream attempts that failed, by target and error code.',
      labelNames: ['target', 'error_type'] as const,
      registers,
    }),
    retries: new Counter({
      name: 'sekisho_retries_total',
      help: 'Attempts after the first of a call, by the target that came last.',
      labelNames: ['target'] as const,
      registers,
    }),
    hedges: new Counter({
      name: 'sekisho_hedges_total',
      help: 'Calls that a second target was asked for because the first was slow to begin.',
      labelNames: ['route'] as const,
      registers,
    }),
    breakerState: new Gauge({
      name: 'sekisho_breaker_state',
      help: 'State of the circuit breaker of a target: 0 closed, 1 half open, 2 open.',
      labelNames: ['target'] as const,
      registers,
    }),
    limitRefusals: new Counter({
      name: 'sekisho_limit_refusals_total',
      help: 'Calls refused by a limit or budget, by scope and measure.',
      labelNames: ['scope', 'measure'] as const,
      registers,
    }),
    limitShadows: new Counter({
      name: 'sekisho_limit_shadow_refusals_total',
      help: 'Calls that a limit in shadow mode would have refused, by scope and measure.',
      labelNames: ['scope', 'measure'] as const,
      registers,
    }),
    storesDown: new Counter({
      name: 'sekisho_store_failures_total',
      help: 'Failed uses of a store (redis, database).',
      labelNames: ['store'] as const,
      registers,
    }),
    uncarried: new Counter({
      name: 'sekisho_uncarried_parameters_total',
      help: 'Parameters left out because the target cannot carry them, by target.',
      labelNames: ['target'] as const,
      registers,
    }),
    discoveryFailures: new Counter({
      name: 'sekisho_discovery_failures_total',
      help: 'Failed looks for the endpoints of a provider.',
      labelNames: ['provider'] as const,
      registers,
    }),
    logDrops: new Counter({
      name: 'sekisho_log_lines_dropped_total',
      help: 'Log lines that did not reach their sink: dropped from a full buffer or refused.',
      labelNames: ['sink'] as const,
      registers,
    }),
    spanDrops: new Counter({
      name: 'sekisho_spans_dropped_total',
      help: 'Spans that did not reach the collector.',
      registers,
    }),
    jobs: new Gauge({
      name: 'sekisho_jobs',
      help: 'Jobs that are kept, by queue and state (waiting, active, done, failed, cancelled).',
      labelNames: ['queue', 'state'] as const,
      registers,
    }),
    oldestJob: new Gauge({
      name: 'sekisho_jobs_oldest_waiting_seconds',
      help: 'Age of the job that waits longest, by queue.',
      labelNames: ['queue'] as const,
      registers,
    }),
    jobEnds: new Counter({
      name: 'sekisho_jobs_ended_total',
      help: 'Jobs that this process brought to their end, by queue, kind and state (done, failed, cancelled).',
      labelNames: ['queue', 'kind', 'state'] as const,
      registers,
    }),
    jobDuration: new Histogram({
      name: 'sekisho_job_duration_seconds',
      help: 'Time from the first try of a job to its end.',
      labelNames: ['queue', 'kind'] as const,
      buckets: JOB_SECONDS,
      registers,
    }),
    jobRetries: new Counter({
      name: 'sekisho_job_retries_total',
      help: 'Tries of jobs that failed and are repeated, by queue, kind and error code.',
      labelNames: ['queue', 'kind', 'error_type'] as const,
      registers,
    }),
    sourceRuns: new Counter({
      name: 'rag_source_runs_total',
      help: 'Runs of sources, by kind and how they ended (done, failed).',
      labelNames: ['kind', 'state'] as const,
      registers,
    }),
    sourceItems: new Counter({
      name: 'rag_source_items_total',
      help: 'Items that runs of sources found or removed, by kind and outcome (changed, unchanged, removed, failed).',
      labelNames: ['kind', 'outcome'] as const,
      registers,
    }),
    ragQueries: new Counter({
      name: 'rag_queries_total',
      help: 'Questions to collections, by collection and outcome (answered, not_answered, error).',
      labelNames: ['collection', 'outcome'] as const,
      registers,
    }),
    ragCache: new Counter({
      name: 'rag_answer_cache_total',
      help: 'Questions to collections that were answered by a kept answer (hit) or anew (miss).',
      labelNames: ['collection', 'outcome'] as const,
      registers,
    }),
    ragSentences: new Counter({
      name: 'rag_answer_sentences_total',
      help: 'Sentences of answers by verdict: supported, unsupported, uncited, or withheld from the caller.',
      labelNames: ['collection', 'verdict'] as const,
      registers,
    }),
    ragPrecision: new Histogram({
      name: 'rag_citation_precision',
      help: 'Share of the sources named in an answer that bear their sentence out.',
      labelNames: ['collection'] as const,
      buckets: SHARES,
      registers,
    }),
    ragCoverage: new Histogram({
      name: 'rag_citation_coverage',
      help: 'Share of the sentences of an answer that a source supports.',
      labelNames: ['collection'] as const,
      buckets: SHARES,
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
