import type { Vault } from '../../access/vault.ts';
import type { Clock } from '../../lib/clock.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId, type CollectionName, type KeyId, type TenantId } from '../../spec/ids.ts';
import { judgeSource } from './judge-source.ts';
import { nextRunMs } from './next-run.ts';
import { reachOf, type Reach } from './reach-of.ts';
import type { RemovalPolicy, Source, SourceId, SourceRun } from './source.ts';
import { sealCredentials } from './source-credentials.ts';
import { destinationOf, type SourceCredentials, type SourceSettings } from './source-settings.ts';
import type { SourceRuns } from './source-runs.ts';
import type { SourceRef, SourceStore, StoredSource } from './source-store.ts';

/** What whoever sets up a source says of it. */
export interface SourceDraft {
  name: string;
  collection: CollectionName;
  settings: SourceSettings;
  credentials?: SourceCredentials;
  access: DocumentAccess | null;
  schedule: string | null;
  timeZone: string;
  removal: RemovalPolicy;
  state: 'active' | 'paused';
}

/** What is absent stays. Credentials of null are forgotten. */
export type SourceChange = Partial<Omit<SourceDraft, 'collection' | 'credentials'>> & {
  credentials?: SourceCredentials | null;
};

/** A source and how its last run went. */
export interface ShownSource extends Source {
  lastRun: SourceRun | null;
}

/** Sources of tenants: set up, changed, looked at. Credentials go in and never come out. */
export interface Sources {
  /** @throws SekishoError invalid_request, conflict. */
  create(tenantId: TenantId, by: KeyId, draft: SourceDraft): Promise<ShownSource>;
  /** @throws SekishoError source_not_found. */
  get(tenantId: TenantId, id: string): Promise<ShownSource>;
  list(tenantId: TenantId, page: { after: string; limit: number }): Promise<ShownSource[]>;
  /** Where the destination changes, credentials must be given anew. @throws SekishoError source_not_found, invalid_request. */
  change(tenantId: TenantId, id: string, change: SourceChange): Promise<ShownSource>;
  /** Ends it; its documents go with it, or stay. Finished also after a crash. */
  remove(tenantId: TenantId, id: string, documents: 'delete' | 'keep'): Promise<void>;
  /** Newest first. */
  runs(tenantId: TenantId, id: string, page: { before?: string; limit: number }): Promise<SourceRun[]>;
}

export interface SourcesDeps extends Reach {
  store: SourceStore;
  runs: SourceRuns;
  vault: Vault;
  clock: Clock;
  /** Removes the documents of a source that is being deleted, and then the source. */
  finishRemoval: (source: StoredSource) => Promise<void>;
  onChanged: () => void;
}

const MAX_SOURCES = 1_000;

/** Sources over their store. */
export function createSources(deps: SourcesDeps): Sources {
  const { store, runs, vault, clock } = deps;

  async function require(tenantId: TenantId, id: string): Promise<StoredSource> {
    const source = isSourceId(id) ? await store.get({ tenantId, id }) : undefined;
    if (source === undefined || source.state === 'deleting') {
      throw new SekishoError('source_not_found', { values: { source: id.slice(0, 100) } });
    }
    return source;
  }

  async function shown(stored: StoredSource): Promise<ShownSource> {
    const { sealed: _sealed, ...source } = stored;
    return { ...source, lastRun: (await runs.list(source, { limit: 1 }))[0] ?? null };
  }

  async function reread(ref: SourceRef): Promise<ShownSource> {
    deps.onChanged();
    return shown(await require(ref.tenantId, ref.id));
  }

  function nextOf({ schedule, timeZone, state }: Pick<SourceDraft, 'schedule' | 'timeZone' | 'state'>): number | null {
    return schedule === null || state !== 'active' ? null : nextRunMs(schedule, timeZone, clock.nowMs());
  }

  return {
    create: async (tenantId, by, { credentials, ...draft }) => {
      await judgeSource(reachOf(deps, tenantId), { ...draft, credentials, nowMs: clock.nowMs() });
      if ((await store.count(tenantId)) >= MAX_SOURCES) {
        throw new SekishoError('conflict', { values: { problem: `there are ${MAX_SOURCES} sources already` } });
      }
      const ref: SourceRef = { tenantId, id: newId('src', clock.nowMs()) };
      const sealed =
        credentials === undefined ? null : sealCredentials(vault, { ref, settings: draft.settings }, credentials);
      await store.insert({ ...draft, ...ref, sealed, createdBy: by, nextRunMs: nextOf(draft) });
      return reread(ref);
    },
    get: async (tenantId, id) => shown(await require(tenantId, id)),
    list: async (tenantId, page) => Promise.all((await store.list(tenantId, page)).map(shown)),
    change: async (tenantId, id, { credentials, ...change }) => {
      const source = await require(tenantId, id);
      const state = source.state === 'paused' ? 'paused' : 'active';
      const wanted = { ...source, state, ...change } as const;
      if (wanted.settings.kind !== source.settings.kind) {
        throw wrong('settings.kind', 'cannot be changed; make another source');
      }
      await judgeSource(reachOf(deps, tenantId), {
        ...wanted,
        credentials: credentials ?? undefined,
        nowMs: clock.nowMs(),
      });
      const moved = destinationOf(wanted.settings) !== destinationOf(source.settings);
      if (moved && source.sealed !== null && credentials === undefined) {
        throw wrong('credentials', 'the address has changed, so the credentials must be entered again');
      }
      const sealed =
        credentials === undefined
          ? source.sealed
          : credentials === null
            ? null
            : sealCredentials(vault, { ref: source, settings: wanted.settings }, credentials);
      // Documents that are opened to others, or to fewer, must not wait for the schedule.
      const reopened = JSON.stringify(wanted.access) !== JSON.stringify(source.access);
      await store.update(source, {
        name: wanted.name,
        settings: wanted.settings,
        sealed,
        access: wanted.access,
        schedule: wanted.schedule,
        timeZone: wanted.timeZone,
        removal: wanted.removal,
        state: wanted.state,
        nextRunMs: reopened && wanted.settings.kind !== 'upload' ? clock.nowMs() : nextOf(wanted),
      });
      return reread(source);
    },
    remove: async (tenantId, id, documents) => {
      const source = await require(tenantId, id);
      if (documents === 'keep') await store.remove(source);
      else {
        await store.update(source, { ...source, state: 'deleting', nextRunMs: clock.nowMs() });
        await deps.finishRemoval({ ...source, state: 'deleting' });
      }
      deps.onChanged();
    },
    runs: async (tenantId, id, page) => runs.list(await require(tenantId, id), page),
  };
}

function isSourceId(id: string): id is SourceId {
  return /^src_[0-9a-z]{1,40}$/.test(id);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
