import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createVault } from '../../src/access/vault.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { Secret } from '../../src/lib/secret.ts';
import { migrate } from '../../src/migrate.ts';
import { createParseFile } from '../../src/rag/ingest/parse/parse-file.ts';
import {
  openSources,
  type OpenSources,
  type OpenSourcesDeps,
  type SourceEvents,
} from '../../src/rag/sources/open-sources.ts';
import { sourceMigrations } from '../../src/rag/sources/schema.ts';
import type { SourceRun } from '../../src/rag/sources/source.ts';
import { sourceSettingsSchema } from '../../src/rag/sources/source-settings.ts';
import type { ShownSource, SourceDraft } from '../../src/rag/sources/sources.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { eventually } from './eventually.ts';
import { openStage, PLACE, type StageOptions } from './ingest-stage.ts';

/** Sources over the real stores, with a folder they may read and the loopback as a host they may ask. */
export async function openSourceStage(more: Partial<OpenSourcesDeps> & { stage?: StageOptions } = {}) {
  const stage = await openStage();
  await migrate(stage.database, sourceMigrations);
  const inbox = mkdtempSync(join(tmpdir(), 'sekisho-inbox-'));
  const errors: unknown[] = [];
  const ended: Parameters<SourceEvents['sourceRunEnded']>[0][] = [];
  let nowMs = Date.parse('2026-03-01T00:00:00Z');
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
  const { ingest, documents, collections } = stage.startIngest(more.stage);

  /** What a process has; another may be opened over the same stores. */
  const open = (again: Partial<OpenSourcesDeps> = {}): OpenSources =>
    openSources({
      database: stage.database,
      clock,
      sleep: () => Promise.resolve(),
      vault: createVault({ masterKey: new Secret('a master key for tests, long enough') }),
      collections,
      documents,
      ingest,
      // No format of these tests needs a worker.
      parseFile: createParseFile({ read: () => Promise.reject(new Error('no worker here')), close: () => undefined }),
      folders: [inbox],
      isListedHost: (hostname) => hostname === '127.0.0.1',
      events: { sourceRunEnded: (run) => void ended.push(run) },
      onError: (error) => void errors.push(error),
      ...more,
      ...again,
    });
  const sources = open();

  return {
    ...stage,
    ingest,
    documents,
    inbox,
    errors,
    ended,
    sources,
    open,
    pass: (ms: number): void => void (nowMs += ms),
    write: (path: string, text: string): void => {
      mkdirSync(dirname(join(inbox, path)), { recursive: true });
      writeFileSync(join(inbox, path), text);
    },
    create: (settings: object, draft: Partial<SourceDraft> = {}): Promise<ShownSource> =>
      sources.create(DEFAULT_TENANT, 'key_test', {
        name: 'test',
        collection: PLACE.collection,
        settings: sourceSettingsSchema.parse(settings),
        access: null,
        schedule: null,
        timeZone: 'UTC',
        removal: 'full',
        state: 'active',
        ...draft,
      }),
    /** One run, to its end. */
    run: async ({ id }: { id: string }, by: OpenSources = sources): Promise<SourceRun> => {
      nowMs += 1_000;
      const runId = await by.run(DEFAULT_TENANT, id);
      let run: SourceRun | undefined;
      await eventually('the run has ended', async () => {
        run = (await by.runs(DEFAULT_TENANT, id, { limit: 10 })).find((each) => each.id === runId);
        const { running } = await by.get(DEFAULT_TENANT, id);
        return run !== undefined && run.state !== 'running' && !running;
      });
      if (run === undefined) throw new Error('There was no run.');
      return run;
    },
    /** Ids of the documents that are in the collection, without the id of the source. */
    ids: async (): Promise<string[]> =>
      (await documents.list(PLACE, { after: '', limit: 1_000 })).map(({ id }) => id.slice(id.indexOf('/') + 1)),
    end: async (): Promise<void> => {
      await sources.close();
      await stage.close();
      rmSync(inbox, { recursive: true, force: true });
    },
  };
}

export type SourceStage = Awaited<ReturnType<typeof openSourceStage>>;

/** The figures of a run, without its ids and times. */
export function figures({ found, changed, unchanged, removed, failed, listed, check, state }: SourceRun) {
  return [state, { found, changed, unchanged, removed, failed }, listed.complete, check?.missing ?? []] as const;
}
