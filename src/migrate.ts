import type { Database, Migration } from './ports/database.ts';

const MARKS = 'CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY, applied_ms BIGINT NOT NULL)';

/**
 * Applies what is not yet applied, each step in one transaction with its mark. Any number of processes may do so at
 * once: the mark is written first, so that one of them goes on and the others, which wait for it, find it written.
 *
 * @throws Error naming the step that failed; the process must not start on half a schema.
 */
export async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  // Postgres refuses one of two who create the same table at the same moment.
  await database.run(MARKS).catch(() => database.run(MARKS));
  const done = await appliedIds(database);
  for (const migration of migrations) {
    if (done.has(migration.id)) continue;
    const mark = { sql: 'INSERT INTO migrations (id, applied_ms) VALUES (?, ?)', params: [migration.id, Date.now()] };
    try {
      await database.batch([mark, ...migration.sql.map((sql) => ({ sql, params: [] }))]);
    } catch (cause) {
      const now = await appliedIds(database).catch(() => done);
      if (now.has(migration.id)) continue;
      throw new Error(`The schema step "${migration.id}" failed; nothing of it was kept.`, { cause });
    }
  }
}

async function appliedIds(database: Database): Promise<Set<string>> {
  return new Set((await database.all<{ id: string }>('SELECT id FROM migrations')).map((row) => row.id));
}
