import type { JobCount } from '../ports/job-queue.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { JobQueueName, JobRecord } from '../spec/job.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import type { LimitMeasure, LimitScope } from '../spec/limits.ts';
import { createBoundedLabel } from './bounded-labels.ts';
import { createCallHandles } from './call-handles.ts';
import { callFields, callLine } from './call-line.ts';
import type { Count } from './call-metrics.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';

/** A look into a cache. `flight` is the joining of identical calls. */
export interface CacheLook {
  kind: 'exact' | 'embedding';
  level: 'memory' | 'disk' | 'redis' | 'flight';
  outcome: 'hit' | 'miss' | 'stored' | 'error';
}

export interface LimitEvent {
  requestId: string;
  scope: LimitScope;
  /** The name or id of whoever the limit is of; in the log only. */
  id: string;
  measure: LimitMeasure;
}

/** One function per event of the business; each writes the log line and counts what is to be counted. */
export interface Telemetry {
  log: Log;
  modelCallSettled(entry: LedgerEntry, overheadMs: number, error: SekishoError | undefined): void;
  attemptFailed(requestId: string, target: string, error: SekishoError): void;
  /** A second target is asked because the first is slow to begin. */
  hedged(hedge: { requestId: string; route: string; target: string }): void;
  cacheLooked(look: CacheLook): void;
  breakerChanged(change: { target: string; state: 'closed' | 'half-open' | 'open'; reason?: string }): void;
  limitRefused(limit: LimitEvent): void;
  limitShadowed(limit: LimitEvent): void;
  /** Small embedding calls that became one upstream call. */
  embedBatched(batch: { target: string; calls: number; inputs: number }): void;
  /** A store did not do what was asked of it; at most one line a second and store. */
  storeDown(failure: { store: string; error: unknown }): void;
  uncarriedDropped(drop: { requestId: string; target: string; parameters: readonly string[] }): void;
  discoveryFailed(failure: { provider: string; error: unknown }): void;
  spansDropped(count: number): void;
  questionAnswered(question: {
    requestId: string;
    collection: string;
    outcome: 'answered' | 'not_answered' | 'error';
    /** Milliseconds by component, `totalMs` among them. */
    timingsMs: Readonly<Record<string, number>>;
    cache: 'hit' | 'miss';
    /** How the sentences of the answer stand to their sources, where one was written. */
    verification?: {
      sentences: readonly { verdict: 'supported' | 'unsupported' | 'uncited' }[];
      withheld: number;
      precision: number | null;
      coverage: number | null;
    };
  }): void;
  jobEnded(
    job: JobRecord,
    end: { state: 'done' | 'failed' | 'cancelled'; durationMs: number; error?: SekishoError },
  ): void;
  /** A try of a job failed; it is repeated after the delay. */
  jobRetried(job: JobRecord, retry: { error: SekishoError; delayMs: number }): void;
  /** How many jobs stand where; a queue whose oldest is not named has none that waits. */
  jobsCounted(counts: readonly JobCount[], oldest: readonly { queue: JobQueueName; waitingMs: number }[]): void;
  sourceRunEnded(run: {
    source: string;
    kind: string;
    collection: string;
    run: string;
    state: string;
    complete: boolean;
    counts: Readonly<Record<'changed' | 'unchanged' | 'removed' | 'failed', number>>;
    reason: string | null;
  }): void;
  requestFailed(request: { requestId: string; method: string; path: string; error: SekishoError }): void;
  streamOpened(): void;
  streamClosed(): void;
  /** All metrics in Prometheus' text format. */
  metricsText(): Promise<string>;
}

const MAX_NAMES = 200;
const MAX_COMPONENTS = 20;
const STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

/** Log and metrics of the process. */
export function createTelemetry(log: Log): Telemetry {
  const metrics = createMetrics();
  const handlesOf = createCallHandles(metrics);
  const route = createBoundedLabel(MAX_NAMES);
  const target = createBoundedLabel(MAX_NAMES);
  const collection = createBoundedLabel(MAX_NAMES);
  const provider = createBoundedLabel(MAX_NAMES);
  const component = createBoundedLabel(MAX_COMPONENTS);
  const store = createBoundedLabel(MAX_COMPONENTS);
  const jobKind = createBoundedLabel(MAX_COMPONENTS);
  const overhead = metrics.overhead([]);
  const batchCalls = metrics.batchCalls([]);
  const cacheLooks = new Map<string, Count>();
  const storeToldMs = new Map<string, number>();

  return {
    log,

    modelCallSettled: (entry, overheadMs, error) => {
      const { usage, durationMs } = entry;
      const handles = handlesOf(entry);
      handles.outcome[entry.outcome].value++;
      handles.latency.observe(durationMs / 1_000);
      handles.inputTokens.value += usage.inputTokens;
      handles.outputTokens.value += usage.outputTokens;
      if (entry.costMicros === null) handles.unpriced.value++;
      else handles.cost.value += entry.costMicros / 1_000_000;
      if (entry.attempts > 1) metrics.retries.inc({ target: target(entry.target) }, entry.attempts - 1);
      overhead.observe(overheadMs / 1_000);
      handles.duration(entry.errorCode ?? '').observe(durationMs / 1_000);
      handles.inputSpread.observe(usage.inputTokens);
      handles.outputSpread.observe(usage.outputTokens);
      if (entry.firstByteMs !== undefined) handles.firstToken.observe(entry.firstByteMs / 1_000);
      if (error !== undefined) log.warn('model_call', { ...callFields(entry), error });
      else if (log.writes('info')) log.line('info', callLine('info', log.timeText(), entry));
    },

    attemptFailed: (requestId, failedTarget, error) => {
      metrics.failedAttempts.inc({ target: target(failedTarget), error_type: error.code });
      log.warn('attempt_failed', { request_id: requestId, target: failedTarget, error });
    },

    hedged: ({ requestId, route: of, target: at }) => {
      metrics.hedges.inc({ route: route(of) });
      log.debug('hedged', { request_id: requestId, route: of, target: at });
    },

    cacheLooked: ({ kind, level, outcome }) => {
      const name = `${kind} ${level} ${outcome}`;
      let count = cacheLooks.get(name);
      if (count === undefined) {
        count = metrics.cacheLooks([kind, level, outcome]);
        cacheLooks.set(name, count);
      }
      count.value++;
    },

    breakerChanged: ({ target: of, state, reason }) => {
      metrics.breakerState.set({ target: target(of) }, STATES[state]);
      const fields = { target: of, state, reason };
      if (state === 'open') log.warn('breaker_changed', fields);
      else log.info('breaker_changed', fields);
    },

    limitRefused: ({ requestId, scope, id, measure }) => {
      metrics.limitRefusals.inc({ scope, measure });
      log.info('limit_refused', { request_id: requestId, scope, id, measure });
    },

    limitShadowed: ({ requestId, scope, id, measure }) => {
      metrics.limitShadows.inc({ scope, measure });
      log.info('limit_shadowed', { request_id: requestId, scope, id, measure });
    },

    embedBatched: ({ target: at, calls, inputs }) => {
      batchCalls.observe(calls);
      log.debug('embed_batched', { target: at, calls, inputs });
    },

    storeDown: ({ store: name, error }) => {
      metrics.storesDown.inc({ store: store(name) });
      const now = performance.now();
      if (now - (storeToldMs.get(store(name)) ?? -Infinity) < 1_000) return;
      storeToldMs.set(store(name), now);
      log.warn('store_down', { store: name, error });
    },

    uncarriedDropped: ({ requestId, target: at, parameters }) => {
      metrics.uncarried.inc({ target: target(at) }, parameters.length);
      log.info('uncarried_dropped', { request_id: requestId, target: at, parameters: parameters.slice(0, 20) });
    },

    discoveryFailed: ({ provider: of, error }) => {
      metrics.discoveryFailures.inc({ provider: provider(of) });
      log.warn('discovery_failed', { provider: of, error });
    },

    spansDropped: (count) => metrics.spanDrops.inc(count),

    questionAnswered: ({ requestId, collection: name, outcome, timingsMs, cache, verification }) => {
      const of = collection(name);
      metrics.ragQueries.inc({ collection: of, outcome });
      metrics.ragCache.inc({ collection: of, outcome: cache });
      for (const [key, ms] of Object.entries(timingsMs)) {
        metrics.ragDuration.observe({ component: component(key.replace(/Ms$/, '')) }, ms / 1000);
      }
      const { precision, coverage, withheld } = verification ?? {};
      // An answer that is given again was looked at when it was made.
      if (verification !== undefined && cache === 'miss') {
        for (const { verdict } of verification.sentences) metrics.ragSentences.inc({ collection: of, verdict });
        if (withheld !== undefined && withheld > 0)
          metrics.ragSentences.inc({ collection: of, verdict: 'withheld' }, withheld);
        if (typeof precision === 'number') metrics.ragPrecision.observe({ collection: of }, precision);
        if (typeof coverage === 'number') metrics.ragCoverage.observe({ collection: of }, coverage);
      }
      log.info('question', {
        request_id: requestId,
        collection: name,
        outcome,
        cache,
        ...(verification && { citation_precision: precision, citation_coverage: coverage, withheld }),
        ...timingsMs,
      });
    },

    jobEnded: (job, { state, durationMs, error }) => {
      const { queue } = job;
      const kind = jobKind(job.kind);
      metrics.jobEnds.inc({ queue, kind, state });
      metrics.jobDuration.observe({ queue, kind }, durationMs / 1_000);
      const fields = { ...jobFields(job), state, duration_ms: durationMs, ...(error && { error }) };
      if (state === 'failed') log.warn('job_ended', fields);
      else log.info('job_ended', fields);
    },

    jobRetried: (job, { error, delayMs }) => {
      metrics.jobRetries.inc({ queue: job.queue, kind: jobKind(job.kind), error_type: error.code });
      log.warn('job_retried', { ...jobFields(job), delay_ms: delayMs, error });
    },

    jobsCounted: (counts, oldest) => {
      metrics.jobs.reset();
      metrics.oldestJob.reset();
      for (const { queue, state, jobs } of counts) metrics.jobs.set({ queue, state }, jobs);
      for (const { queue, waitingMs } of oldest) metrics.oldestJob.set({ queue }, waitingMs / 1_000);
    },

    sourceRunEnded: ({ kind, state, counts, ...fields }) => {
      metrics.sourceRuns.inc({ kind, state });
      const { changed, unchanged, removed, failed } = counts;
      for (const [outcome, count] of Object.entries({ changed, unchanged, removed, failed })) {
        if (count > 0) metrics.sourceItems.inc({ kind, outcome }, count);
      }
      const told = { ...fields, kind, state, changed, unchanged, removed, failed };
      if (state === 'done' && failed === 0) log.info('source_run', told);
      else log.warn('source_run', told);
    },

    requestFailed: ({ requestId, method, path, error }) => {
      const fields = { request_id: requestId, method, path: path.slice(0, 200), status: error.status, error };
      if (error.fault === 'us') log.error('request_failed', fields);
      else log.info('request_failed', fields);
    },

    streamOpened: () => metrics.openStreams.inc(),
    streamClosed: () => metrics.openStreams.dec(),

    metricsText: () => {
      metrics.logDrops.reset();
      for (const [sink, lost] of log.dropped()) metrics.logDrops.inc({ sink }, lost);
      return metrics.registry.metrics();
    },
  };
}

function jobFields({ id, tenantId, queue, kind, attempts }: JobRecord): object {
  return { job_id: id, tenant_id: tenantId, queue, kind, attempts };
}
