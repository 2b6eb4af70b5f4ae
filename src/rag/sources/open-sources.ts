import type { Vault } from '../../access/vault.ts';
import type { Clock } from '../../lib/clock.ts';
import type { GuardedRequestOptions } from '../../lib/guarded-request.ts';
import { isJsonObject, parseJson, stringAt } from '../../lib/json.ts';
import type { Sleep } from '../../lib/sleep.ts';
import type { Database } from '../../ports/database.ts';
import type { Jobs } from '../../ports/jobs.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Collections } from '../collections.ts';
import type { Documents } from '../documents.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import type { FileToParse, ParseFile } from '../ingest/parse/parse-file.ts';
import { createConnectorOf } from './connector-of.ts';
import { createExecuteRun } from './execute-run.ts';
import { createFinishRemoval } from './finish-removal.ts';
import { createRunBook, type StartRun } from './run-book.ts';
import { DEFAULT_RUN_BOUNDS, type RunBounds } from './run-deps.ts';
import { createRunSource } from './run-source.ts';
import { isComplete, type SourceRun, type SourceRunId } from './source.ts';
import { createSourceItems } from './source-items.ts';
import { createSourceRuns } from './source-runs.ts';
import { createSourceStore, type SourceRef, type StoredSource } from './source-store.ts';
import { createSources, type Sources } from './sources.ts';
import { createFolderWatch } from './watch-folders.ts';

export interface OpenSourcesDeps {
  database: Database;
  clock: Clock;
  sleep: Sleep;
  vault: Vault;
  collections: Pick<Collections, 'get'>;
  documents: Pick<Documents, 'known'>;
  ingest: Pick<Ingest, 'index' | 'remove' | 'check'>;
  parseFile: ParseFile;
  /** Folders that sources may read, with everything below. */
  folders: readonly string[];
  /** Whether the operator has named the host, so that its address may be private. */
  isListedHost: (hostname: string) => boolean;
  /** Runs are jobs where it is given, else done in this process. */
  jobs?: Jobs;
  /** Whether the database is that of this process alone, or of several; then a dead one's run is taken up after a minute. */
  processes?: 'one' | 'several';
  bounds?: RunBounds;
  network?: Pick<GuardedRequestOptions, 'resolve' | 'fetch'>;
  events: SourceEvents;
  onError: (error: unknown) => void;
}

/** What is told of runs. */
export interface SourceEvents {
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
}

/** Sources as the rest of the house has them. */
export interface OpenSources extends Sources {
  /** Begins a run. @throws SekishoError source_not_found, conflict where one goes on. */
  run(tenantId: `ten_${string}`, id: string): Promise<SourceRunId>;
  /** Takes files into a source of uploads and waits until they are in. */
  upload(
    tenantId: `ten_${string}`,
    id: string,
    upload: { files: readonly FileToParse[]; signal: AbortSignal },
  ): Promise<SourceRun>;
  /** Looks for what is due. */
  tick(): Promise<void>;
  /** Keeps to schedules and watches folders from now on. */
  start(): void;
  /** Ends what goes on in this process; it is taken up again by the next. */
  close(): Promise<void>;
}

const JOB_KIND = 'source-run';
const TICK_MS = 5_000;
/** Runs in this process at once, where there are no jobs. */
const RUNS_AT_ONCE = 2;

/** Puts the room of sources together. */
export function openSources(deps: OpenSourcesDeps): OpenSources {
  const { clock, onError } = deps;
  const bounds = deps.bounds ?? DEFAULT_RUN_BOUNDS;
  const store = createSourceStore(deps);
  const items = createSourceItems(deps);
  const runs = createSourceRuns(deps);
  const finishRemoval = createFinishRemoval({ ...deps, store, items });
  const execute = createExecuteRun({
    store,
    items,
    runs,
    collections: deps.collections,
    runSource: createRunSource({ ...deps, items, store, bounds }),
    connectorOf: createConnectorOf({ ...deps, maxItems: bounds.items }),
    clock,
    onEnded: (run, { settings: { kind }, collection }) =>
      deps.events.sourceRunEnded({
        source: run.sourceId,
        kind,
        collection,
        run: run.id,
        state: run.state,
        complete: isComplete(run),
        counts: run,
        reason: run.reason ?? run.listed.reason,
      }),
    onError,
  });
  const closing = new AbortController();
  const inProcess = createInProcess();
  const startRun: StartRun = deps.jobs === undefined ? inProcess.start : jobStart(deps.jobs);
  const book = createRunBook({ store, execute, startRun, finishRemoval, clock, onError });
  const again = new Set<string>();
  const watch = createFolderWatch({
    store,
    folders: deps.folders,
    onChange: (source) => void changed(source),
    onError,
  });
  const sources = createSources({
    ...deps,
    store,
    runs,
    finishRemoval,
    onChanged: () => void watch.refresh().catch(onError),
  });
  let timer: NodeJS.Timeout | undefined;
  let ticking: Promise<void> = Promise.resolve();

  /** Runs one after the other per source, a few at a time; what is waiting when the process ends is due again. */
  function createInProcess(): { start: StartRun; ended: () => Promise<void> } {
    const waiting: { ref: SourceRef; runId: SourceRunId }[] = [];
    const active = new Set<Promise<void>>();
    const next = (): void => {
      const one = active.size < RUNS_AT_ONCE && !closing.signal.aborted ? waiting.shift() : undefined;
      if (one === undefined) return;
      const run = execute(one.ref, one.runId, closing.signal)
        .then(
          () => undefined,
          (thrown: unknown) => {
            if (!closing.signal.aborted) onError(thrown);
          },
        )
        .finally(() => {
          active.delete(run);
          next();
        });
      active.add(run);
      next();
    };
    return {
      start: async (ref, runId) => {
        if (!waiting.some((each) => each.ref.id === ref.id)) waiting.push({ ref, runId });
        next();
      },
      ended: async () => void (await Promise.all(active)),
    };
  }

  function jobStart(jobs: Jobs): StartRun {
    jobs.handle(JOB_KIND, {
      run: async ({ job, signal }) => {
        const ref = refOf(job.tenantId, stringAt(job.input, 'source'));
        const runId = stringAt(job.input, 'run');
        const run = ref && isRunId(runId) ? await execute(ref, runId, signal) : undefined;
        const told = parseJson(JSON.stringify(run === undefined ? { skipped: true } : shownResult(run)));
        return isJsonObject(told) ? told : {};
      },
    });
    return async ({ tenantId, id }, runId) => {
      await jobs.submit({
        tenantId,
        keyId: 'key_process',
        queue: 'indexing',
        kind: JOB_KIND,
        input: { source: id, run: runId },
      });
    };
  }

  /** A change during a run may have been missed by it: another follows. */
  async function changed(source: StoredSource): Promise<void> {
    try {
      const now = await store.get(source);
      if (now === undefined || now.state !== 'active' || closing.signal.aborted) return;
      if (now.running) again.add(now.id);
      else await book.start(now);
    } catch (thrown) {
      onError(thrown);
    }
  }

  async function tickOnce(): Promise<void> {
    await book.tick();
    for (const source of again.size === 0 ? [] : await store.watched()) {
      if (again.has(source.id) && !source.running) {
        again.delete(source.id);
        await changed(source);
      }
    }
  }

  const require = async (tenantId: `ten_${string}`, id: string): Promise<StoredSource> => {
    const shown = await sources.get(tenantId, id);
    const stored = await store.get(shown);
    if (stored === undefined) throw new SekishoError('source_not_found', { values: { source: id.slice(0, 100) } });
    return stored;
  };

  return {
    ...sources,
    run: async (tenantId, id) => book.start(await require(tenantId, id)),
    upload: async (tenantId, id, { files, signal }) =>
      book.upload(await require(tenantId, id), files, AbortSignal.any([signal, closing.signal])),
    tick: tickOnce,
    start: () => {
      const tick = (): void => void (ticking = tickOnce().catch(onError));
      timer = setInterval(tick, TICK_MS);
      timer.unref();
      const ready = deps.processes === 'one' ? store.freeAll() : Promise.resolve();
      ticking = ready.then(tickOnce).catch(onError);
      watch.refresh().catch(onError);
    },
    close: async () => {
      clearInterval(timer);
      watch.close();
      closing.abort(new DOMException('The process is stopping.', 'AbortError'));
      await ticking;
      await inProcess.ended();
    },
  };
}

function refOf(tenantId: `ten_${string}`, id: string | undefined): SourceRef | undefined {
  return id?.startsWith('src_') === true ? { tenantId, id: `src_${id.slice('src_'.length)}` } : undefined;
}

function isRunId(id: string | undefined): id is SourceRunId {
  return id?.startsWith('srun_') === true;
}

function shownResult({ id, state, found, changed, unchanged, removed, failed, ...run }: SourceRun) {
  return {
    run: id,
    state,
    found,
    changed,
    unchanged,
    removed,
    failed,
    complete: isComplete({ ...run, found, changed, unchanged, removed, failed }),
  };
}
