import { newId } from '../../spec/ids.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Collections } from '../collections.ts';
import type { Connector } from './connectors/connector.ts';
import { nextRunMs } from './next-run.ts';
import { failureOf, type RunSource } from './run-source.ts';
import type { SourceRun, SourceRunCounts, SourceRunId } from './source.ts';
import type { SourceItems } from './source-items.ts';
import { noCounts, type SourceRuns } from './source-runs.ts';
import type { SourceRef, SourceStore, StoredSource } from './source-store.ts';

export interface ExecuteRunDeps {
  store: SourceStore;
  items: Pick<SourceItems, 'counts'>;
  runs: SourceRuns;
  collections: Pick<Collections, 'get'>;
  runSource: RunSource;
  /** @throws SourceProblem where the source cannot be opened as it is set up. */
  connectorOf: (source: StoredSource) => Connector;
  clock: Clock;
  onEnded: (run: SourceRun, source: StoredSource) => void;
  onError: (error: unknown) => void;
}

/**
 * Does a run that begins now.
 * @returns undefined where another process has the source, or it is gone.
 * @throws SekishoError where a store fails, and AbortError where the signal is aborted: the next run goes on.
 */
export type ExecuteRun = (
  ref: SourceRef,
  runId: SourceRunId,
  signal: AbortSignal,
  connector?: Connector,
) => Promise<SourceRun | undefined>;

/** A run that has died is taken up by another after this. */
const LEASE_MS = 60_000;

/** One run from lease to record: a source has one run at a time, whichever process it is in. */
export function createExecuteRun(deps: ExecuteRunDeps): ExecuteRun {
  const { store, runs, clock } = deps;

  return async (ref, runId, outer, given) => {
    const source = await store.get(ref);
    if (source === undefined || source.state === 'deleting') return undefined;
    if (!(await store.lease(ref, runId, LEASE_MS))) return undefined;
    const lost = new AbortController();
    const signal = AbortSignal.any([outer, lost.signal]);
    const renewal = setInterval(() => {
      store
        .renew(ref, runId, LEASE_MS)
        .then(
          (held) => held || lost.abort(new DOMException('Another run has the source.', 'AbortError')),
          deps.onError,
        );
    }, LEASE_MS / 4);
    renewal.unref();

    let counts: SourceRunCounts = noCounts();
    try {
      await runs.begin(ref, runId);
      const next = source.schedule === null ? null : nextRunMs(source.schedule, source.timeZone, clock.nowMs());
      await store.setNextRun(ref, source.state === 'active' ? next : null);
      const outcome = await run(source, runId, signal, given);
      counts = outcome.counts;
      if (outcome.failure !== undefined && outcome.failure.fault === 'us') throw outcome.failure;
      await finish(source, runId, counts, outcome.failure);
      return await runs.get(ref, runId);
    } catch (thrown) {
      if (!signal.aborted) await finish(source, runId, counts, failureOf(thrown, deps.onError)).catch(deps.onError);
      throw thrown;
    } finally {
      clearInterval(renewal);
      await store.release(ref, runId).catch(deps.onError);
    }
  };

  async function run(source: StoredSource, runId: SourceRunId, signal: AbortSignal, given: Connector | undefined) {
    // A source must not bring back a collection that somebody has deleted.
    const { items } = await deps.items.counts(source);
    if (items > 0 && (await deps.collections.get(source.tenantId, source.collection)) === undefined) {
      const failure = new SekishoError('collection_not_found', { values: { collection: source.collection } });
      await store.pause(source, failure.message);
      return { counts: noCounts(), failure };
    }
    let connector: Connector;
    try {
      connector = given ?? deps.connectorOf(source);
    } catch (thrown) {
      return { counts: noCounts(), failure: failureOf(thrown, deps.onError) };
    }
    return deps.runSource({
      source,
      runId,
      requestId: newId('req'),
      connector,
      signal,
      onProgress: (counts) => runs.report(source, runId, counts),
    });
  }

  async function finish(
    source: StoredSource,
    runId: SourceRunId,
    counts: SourceRunCounts,
    failure: SekishoError | undefined,
  ): Promise<void> {
    const state = failure === undefined ? 'done' : 'failed';
    await runs.end(source, runId, { state, reason: failure?.message ?? null, counts });
    const told = await runs.get(source, runId);
    if (told !== undefined) deps.onEnded(told, source);
  }
}
