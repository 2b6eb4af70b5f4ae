import type { SekishoError } from '../spec/errors.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { createBoundedLabel } from './bounded-labels.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';

/** One function per event of the business; each writes the log line and counts what is to be counted. */
export interface Telemetry {
  log: Log;
  modelCallSettled(entry: LedgerEntry, overheadMs: number, error: SekishoError | undefined): void;
  attemptFailed(requestId: string, target: string, error: SekishoError): void;
  questionAnswered(question: {
    requestId: string;
    collection: string;
    outcome: 'answered' | 'not_answered' | 'error';
    /** Milliseconds by component, `totalMs` among them. */
    timingsMs: Readonly<Record<string, number>>;
  }): void;
  requestFailed(request: { requestId: string; method: string; path: string; error: SekishoError }): void;
  streamOpened(): void;
  streamClosed(): void;
  /** All metrics in Prometheus' text format. */
  metricsText(): Promise<string>;
}

const MAX_NAMES = 200;
const MAX_COMPONENTS = 20;

/** Log and metrics of the process. */
export function createTelemetry(log: Log): Telemetry {
  const metrics = createMetrics();
  const route = createBoundedLabel(MAX_NAMES);
  const target = createBoundedLabel(MAX_NAMES);
  const model = createBoundedLabel(MAX_NAMES);
  const collection = createBoundedLabel(MAX_NAMES);
  const component = createBoundedLabel(MAX_COMPONENTS);

  return {
    log,

    modelCallSettled: (entry, overheadMs, error) => {
      const labels = { route: route(entry.route), target: target(entry.target) };
      const genAi = {
        gen_ai_operation_name: entry.operation === 'chat' ? 'chat' : 'embeddings',
        gen_ai_provider_name: entry.wire,
        gen_ai_request_model: model(entry.upstreamModel),
      };
      metrics.requests.inc({ ...labels, outcome: entry.outcome });
      metrics.latency.observe(labels, entry.durationMs / 1000);
      metrics.tokens.inc({ ...labels, type: 'input' }, entry.usage.inputTokens);
      metrics.tokens.inc({ ...labels, type: 'output' }, entry.usage.outputTokens);
      if (entry.costMicros === null) metrics.unpriced.inc({ target: labels.target });
      else metrics.cost.inc(labels, entry.costMicros / 1_000_000);
      metrics.overhead.observe(overheadMs / 1000);
      metrics.genAiDuration.observe({ ...genAi, error_type: entry.errorCode ?? '' }, entry.durationMs / 1000);
      metrics.genAiTokens.observe({ ...genAi, gen_ai_token_type: 'input' }, entry.usage.inputTokens);
      metrics.genAiTokens.observe({ ...genAi, gen_ai_token_type: 'output' }, entry.usage.outputTokens);
      if (entry.firstByteMs !== undefined) metrics.genAiFirstToken.observe(genAi, entry.firstByteMs / 1000);
      const fields = {
        request_id: entry.requestId,
        key: entry.keyId,
        route: entry.route,
        target: entry.target,
        outcome: entry.outcome,
        input_tokens: entry.usage.inputTokens,
        output_tokens: entry.usage.outputTokens,
        cost_micros: entry.costMicros,
        attempts: entry.attempts,
        streamed: entry.streamed,
        duration_ms: Math.round(entry.durationMs),
      };
      if (error === undefined) log.info('model_call', fields);
      else log.warn('model_call', { ...fields, error });
    },

    attemptFailed: (requestId, failedTarget, error) => {
      metrics.failedAttempts.inc({ target: target(failedTarget), error_type: error.code });
      log.warn('attempt_failed', { request_id: requestId, target: failedTarget, error });
    },

    questionAnswered: ({ requestId, collection: name, outcome, timingsMs }) => {
      metrics.ragQueries.inc({ collection: collection(name), outcome });
      for (const [key, ms] of Object.entries(timingsMs)) {
        metrics.ragDuration.observe({ component: component(key.replace(/Ms$/, '')) }, ms / 1000);
      }
      log.info('question', { request_id: requestId, collection: name, outcome, ...timingsMs });
    },

    requestFailed: ({ requestId, method, path, error }) => {
      const fields = { request_id: requestId, method, path: path.slice(0, 200), status: error.status, error };
      if (error.fault === 'us') log.error('request_failed', fields);
      else log.info('request_failed', fields);
    },

    streamOpened: () => metrics.openStreams.inc(),
    streamClosed: () => metrics.openStreams.dec(),
    metricsText: () => metrics.registry.metrics(),
  };
}
