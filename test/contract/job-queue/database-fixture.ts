import { migrate } from '../../../src/migrate.ts';
import type { Database } from '../../../src/ports/database.ts';
import { createDatabaseJobQueue } from '../../../src/stores/database/database-job-queue.ts';
import { jobQueueMigrations } from '../../../src/stores/database/job-queue-schema.ts';
import type { JobQueueFixture } from './job-queue.contract.ts';

/** The queue over a database, twice, on a clock that stands still. */
export async function databaseFixture(
  databases: readonly [Database, Database],
  stop: () => Promise<void>,
): Promise<JobQueueFixture> {
  let nowMs = Date.parse('2026-11-20T12:00:00Z');
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  for (const database of databases) await migrate(database, jobQueueMigrations);
  const open = (database: Database) => createDatabaseJobQueue({ database, clock, newToken: () => crypto.randomUUID() });
  return {
    queue: open(databases[0]),
    other: open(databases[1]),
    nowMs: () => nowMs,
    elapse: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    recoveryMs: 50,
    stop,
  };
}
