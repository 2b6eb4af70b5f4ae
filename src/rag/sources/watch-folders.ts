import { watch, type FSWatcher } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { allowedFolder } from './connectors/folder.ts';
import type { SourceStore, StoredSource } from './source-store.ts';

/** Begins a run where something changes in a folder that a source watches. */
export interface FolderWatch {
  /** Watches what is to be watched now. */
  refresh(): Promise<void>;
  close(): void;
}

interface Watched {
  path: string;
  watcher: FSWatcher;
  timer: NodeJS.Timeout | undefined;
}

/** A change is often followed by more: a run begins when nothing has happened for so long. */
const QUIET_MS = 500;

/** Watches folders by what the operating system tells. What it does not tell is found by the schedule. */
export function createFolderWatch(deps: {
  store: Pick<SourceStore, 'watched'>;
  folders: readonly string[];
  onChange: (source: StoredSource) => void;
  onError: (error: unknown) => void;
}): FolderWatch {
  const watched = new Map<string, Watched>();
  let closed = false;

  function end(id: string): void {
    const each = watched.get(id);
    clearTimeout(each?.timer);
    each?.watcher.close();
    watched.delete(id);
  }

  function begin(source: StoredSource, path: string): void {
    const each: Watched = { path, timer: undefined, watcher: watch(path, { recursive: true }) };
    each.watcher.on('change', () => {
      clearTimeout(each.timer);
      each.timer = setTimeout(() => deps.onChange(source), QUIET_MS);
    });
    each.watcher.on('error', (error) => {
      deps.onError(error);
      end(source.id);
    });
    watched.set(source.id, each);
  }

  return {
    refresh: async () => {
      const wanted = await deps.store.watched();
      const ids = new Set<string>(wanted.map(({ id }) => id));
      for (const id of watched.keys()) if (!ids.has(id)) end(id);
      for (const source of wanted) {
        if (source.settings.kind !== 'folder' || closed) continue;
        const path = await allowedFolder(source.settings.path, deps.folders).catch(() => undefined);
        const known = watched.get(source.id);
        if (known?.path === path) continue;
        end(source.id);
        if (path !== undefined && !closed) begin(source, await realpath(path));
      }
    },
    close: () => {
      closed = true;
      for (const id of watched.keys()) end(id);
    },
  };
}
