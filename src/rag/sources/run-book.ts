import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import type { Clock } from '../../lib/clock.ts';
import type { FileToParse } from '../ingest/parse/parse-file.ts';
import { createUploadConnector } from './connectors/upload.ts';
import type { ExecuteRun } from './execute-run.ts';
import type { SourceRun, SourceRunId } from './source.ts';
import type { SourceRef, SourceStore, StoredSource } from './source-store.ts';

/** Has a run done in the background, in this process or another; resolves when that is certain. */
export type StartRun = (ref: SourceRef, runId: SourceRunId) => Promise<void>;

export interface RunBook {
  /** Begins a run. @throws SekishoError conflict where one goes on. */
  start(source: StoredSource): Promise<SourceRunId>;
  /** Takes files into a source of uploads and waits until they are in. @throws SekishoError conflict, invalid_request. */
  upload(source: StoredSource, files: readonly FileToParse[], signal: AbortSignal): Promise<SourceRun>;
  /** Begins what is due and finishes what is half done; called again and again. */
  tick(): Promise<void>;
}

export interface RunBookDeps {
  store: SourceStore;
  execute: ExecuteRun;
  startRun: StartRun;
  finishRemoval: (source: StoredSource) => Promise<void>;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** Sources that are begun at one look. */
const AT_ONCE = 20;
/** A run that was to begin and did not is begun again after this. */
const AGAIN_MS = 300_000;

/** Who begins runs: callers, and the time. */
export function createRunBook(deps: RunBookDeps): RunBook {
  const { store, clock } = deps;
  const newRun = (): SourceRunId => newId('srun', clock.nowMs());
  const busy = (): SekishoError =>
    new SekishoError('conflict', { values: { problem: 'a run of this source goes on' } });

  return {
    start: async (source) => {
      if (source.running) throw busy();
      const runId = newRun();
      await deps.startRun(source, runId);
      return runId;
    },
    upload: async (source, files, signal) => {
      if (source.settings.kind !== 'upload') {
        const problem = 'files are taken by sources of the kind upload only';
        throw new SekishoError('invalid_request', { values: { problem }, param: 'file' });
      }
      const run = await deps.execute(source, newRun(), signal, createUploadConnector(files));
      if (run === undefined) throw busy();
      return run;
    },
    tick: async () => {
      for (const ref of await store.due(AT_ONCE)) {
        try {
          const source = await store.get(ref);
          if (source === undefined) continue;
          if (source.state === 'deleting') await deps.finishRemoval(source);
          else if (await store.claim(ref, clock.nowMs() + AGAIN_MS)) await deps.startRun(ref, newRun());
        } catch (thrown) {
          deps.onError(thrown);
        }
      }
    },
  };
}
