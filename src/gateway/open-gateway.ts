import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import type { TokenCounter } from '../nlp/count-tokens/token-counter.ts';
import type { CacheStore } from '../ports/cache-store.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { LimitBook } from '../spec/limits.ts';
import { createAdmission, type AdmissionOptions } from './admission.ts';
import { createAttempts, type FailedAttempt } from './attempt.ts';
import { createEmbedBatcher, type EmbedBatcherOptions } from './batching/embed-batcher.ts';
import { createAnswerCache, type AnswerCacheOptions } from './cache/answer-cache.ts';
import { createCacheAdmin, type CacheAdmin } from './cache/cache-admin.ts';
import { createEmbeddingCache, type EmbeddingCacheOptions } from './cache/embedding-cache.ts';
import { createModelGateway, type CallModelDeps } from './call-model.ts';
import type { CallTracer } from './call-trace.ts';
import type { Catalogue } from './catalogue.ts';
import { createCountTokens, type CountCall, type CountOutcome } from './count-tokens.ts';
import { createFitter } from './context/fitter.ts';
import { createSummarise } from './context/summarise.ts';
import type { Ledger } from './ledger.ts';
import type { CallOrigin, ModelGateway } from './model-call.ts';
import { createRouteBook } from './route-book.ts';
import { createEndpointBook, type FleetChange } from './routing/endpoint-book.ts';
import { runHealthChecks } from './routing/health-checks.ts';
import { createTargetHealth, type BreakerState, type TargetHealth } from './routing/target-health.ts';
import { createTargetQueues } from './routing/target-queues.ts';
import type { SettlementDeps } from './settlement.ts';
import { serving } from './upstream-call.ts';

/** Who is told of what happens on the road. */
export interface GatewayEvents extends Pick<SettlementDeps, 'onSettled'>, Pick<CallModelDeps, 'onUncarried'> {
  onAttemptFailed: (call: CallOrigin, failed: FailedAttempt) => void;
  onHedged: (call: CallOrigin, target: string) => void;
  onBreaker: (target: string, state: BreakerState) => void;
  onFleet: (change: FleetChange) => void;
  onFleetProblem: (provider: string, error: unknown) => void;
  onPlace: (place: string, answers: 'answers' | 'silent', error?: unknown) => void;
  onRefused: NonNullable<AdmissionOptions['onRefused']>;
  onShadow: NonNullable<AdmissionOptions['onShadow']>;
  onCountersDown: NonNullable<AdmissionOptions['onStoreDown']>;
  onCache: NonNullable<AnswerCacheOptions['onEvent']>;
  onBatch: NonNullable<EmbedBatcherOptions['onBatch']>;
}

export interface GatewayOptions {
  catalogue: () => Catalogue;
  limitsOf: LimitBook['limitsOf'];
  /** Where a provider is reached, so that two places never share cached answers. */
  placeOf: (provider: string) => string;
  ledger: Ledger;
  counters: CounterStore;
  /** What counts while `counters` does not answer. */
  fallbackCounters?: CounterStore;
  whenCountersDown: 'count-alone' | 'refuse';
  cache: { memoryBytes: number; defaultTtlMs: number; shared?: CacheStore };
  /** Absent: embeddings are not kept. */
  embeddings?: Pick<EmbeddingCacheOptions, 'shared'>;
  batching: { waitMs: number; maxInputs: number };
  countTokens: TokenCounter;
  /** Absent: endpoints are not asked unless a call goes there. */
  healthIntervalMs?: number;
  tracer?: CallTracer;
  clock: Clock;
  sleep: Sleep;
  /** Uniform in [0, 1). */
  random: () => number;
  events: GatewayEvents;
}

/** The gateway with what administrators see of it. */
export interface OpenGateway {
  gateway: ModelGateway;
  countTokens: (call: CountCall) => Promise<CountOutcome>;
  health: TargetHealth;
  cache: CacheAdmin;
  /** Resolves when every fleet has been asked once for its places. */
  ready(): Promise<void>;
  close(): void;
}

/** Puts the rooms of the gateway together. */
export function openGateway(options: GatewayOptions): OpenGateway {
  const { catalogue, ledger, clock, sleep, random, events } = options;
  const closing = new AbortController();
  const queues = createTargetQueues({ sleep });
  const health = createTargetHealth({
    policy: () => catalogue().breaker,
    clock,
    onChange: events.onBreaker,
    queueLength: queues.length,
  });
  const endpoints = createEndpointBook({
    sleep,
    random,
    signal: closing.signal,
    onChange: events.onFleet,
    onProblem: events.onFleetProblem,
  });
  const admission = createAdmission({
    counters: options.counters,
    ledger,
    limitsOf: options.limitsOf,
    whenDown: options.whenCountersDown,
    ...(options.fallbackCounters && { fallback: options.fallbackCounters }),
    onRefused: events.onRefused,
    onShadow: events.onShadow,
    onStoreDown: events.onCountersDown,
  });
  const answers = createAnswerCache({
    ...options.cache,
    clock,
    sleep,
    placeOf: options.placeOf,
    onEvent: events.onCache,
  });
  const embeddings = createEmbeddingCache({
    memoryBytes: options.embeddings === undefined ? 0 : options.cache.memoryBytes,
    clock,
    placeOf: options.placeOf,
    ...options.embeddings,
  });
  const batcher = createEmbedBatcher({
    ...options.batching,
    clock,
    send: (target, call) => serving(target, 'embed')(call),
    onBatch: events.onBatch,
  });
  const fitter = createFitter({
    countTokens: options.countTokens,
    summarise: createSummarise({ chat: (call) => gateway.chat(call) }),
  });
  const road = {
    routes: createRouteBook({ catalogue, endpoints }),
    admission,
    attempts: createAttempts<CallOrigin>({
      health,
      queues,
      clock,
      sleep,
      random,
      retryShare: () => catalogue().retryShare,
      onFailed: events.onAttemptFailed,
      onHedged: events.onHedged,
    }),
    ledger,
    clock,
    ...(options.tracer && { tracer: options.tracer }),
    onSettled: events.onSettled,
    onUncarried: events.onUncarried,
  };
  const gateway: ModelGateway = createModelGateway({
    ...road,
    answers,
    embeddings,
    fitter,
    embedTogether: batcher.embed,
  });
  if (options.healthIntervalMs !== undefined) {
    void runHealthChecks({
      catalogue,
      endpoints,
      health,
      intervalMs: options.healthIntervalMs,
      sleep,
      random,
      signal: closing.signal,
      onChange: events.onPlace,
    });
  }
  return {
    gateway,
    countTokens: createCountTokens({ ...road, count: fitter.count }),
    health,
    cache: createCacheAdmin({ answers, ...(options.embeddings && { embeddings }) }),
    ready: () => endpoints.ready(),
    close: () => {
      closing.abort();
      admission.close();
      options.countTokens.close();
    },
  };
}
