import type { Clock } from '../lib/clock.ts';
import type { ChunkIndex, IndexRef } from '../ports/chunk-index.ts';
import type { Database } from '../ports/database.ts';
import type { TenantId } from '../spec/ids.ts';
import type { Documents } from './documents.ts';

export interface EraserDeps {
  database: Database;
  index: Pick<ChunkIndex, 'purge'>;
  documents: Pick<Documents, 'forgetSuperseded'>;
  clock: Clock;
  onProblem?: (error: unknown) => void;
}

/**
 * Sees to it that what was deleted is not in the files of the stores any more either: a deletion only takes it out of
 * sight, and databases write over it when they please.
 */
export interface Eraser {
  /** Notes, before a deletion, which indexes it is made in; a crash does not make it forgotten. Erases soon after. */
  note(refs: readonly IndexRef[]): Promise<void>;
  /** Erases now: resolves when the files hold nothing that was deleted before the call. */
  run(): Promise<void>;
  stop(): Promise<void>;
}

/** Deletions that come together are erased together. */
const QUIET_MS = 1_000;
/** What was replaced stays this long for readers that searched before. */
const SUPERSEDED_MS = 60_000;

export function createEraser(deps: EraserDeps): Eraser {
  const { database, index, clock } = deps;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = Promise.resolve();
  let stopped = false;

  async function work(): Promise<void> {
    await deps.documents.forgetSuperseded(clock.nowMs() - SUPERSEDED_MS);
    const due = await database.all<{ tenant_id: TenantId; collection: string; version: number; asked: number }>(
      'SELECT tenant_id, collection, version, asked FROM index_purges LIMIT 1000',
    );
    for (const { tenant_id: tenantId, collection, version, asked } of due) {
      if (stopped) return;
      await index.purge({ tenantId, collection, version });
      await database.run(
        // What was deleted meanwhile is asked for again.
        'DELETE FROM index_purges WHERE tenant_id = ? AND collection = ? AND version = ? AND asked = ?',
        [tenantId, collection, version, asked],
      );
    }
    await database.scrub?.();
  }

  function run(): Promise<void> {
    running = running.catch(() => undefined).then(work);
    return running;
  }

  function soon(): void {
    if (stopped || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      run().catch((error: unknown) => deps.onProblem?.(error));
    }, QUIET_MS);
    timer.unref();
  }

  return {
    note: async (refs) => {
      await database.batch(
        refs.map(({ tenantId, collection, version }) => ({
          sql: `INSERT INTO index_purges (tenant_id, collection, version, asked) VALUES (?, ?, ?, 1)
            ON CONFLICT (tenant_id, collection, version) DO UPDATE SET asked = index_purges.asked + 1`,
          params: [tenantId, collection, version],
        })),
      );
      soon();
    },
    run,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running.catch(() => undefined);
    },
  };
}
