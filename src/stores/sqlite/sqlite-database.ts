import { Database as Sqlite } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, SqlValue, Statement } from '../../ports/database.ts';
import { SekishoError } from '../../spec/errors.ts';

/**
 * The state of one process in one file. Every verb runs to its end without yielding, so a transaction is
 * never interleaved with another caller's statement although there is one connection.
 *
 * WAL with synchronous=NORMAL: a commit survives the death of the process at once and the death of the
 * machine from the last checkpoint on, at a tenth of the cost of an fsync per commit.
 *
 * @throws SekishoError storage_unavailable from every verb when the file cannot be read or written.
 */
export function createSqliteDatabase(options: { path: string }): Database {
  if (options.path !== ':memory:') mkdirSync(dirname(options.path), { recursive: true });
  const sqlite = new Sqlite(options.path, { create: true, strict: true });
  sqlite.run('PRAGMA journal_mode = WAL');
  sqlite.run('PRAGMA synchronous = NORMAL');
  // A checkpoint every 16 MB of log in place of every 4: it is the dearest part of many small commits.
  sqlite.run('PRAGMA wal_autocheckpoint = 4000');
  sqlite.run('PRAGMA busy_timeout = 5000');
  sqlite.run('PRAGMA foreign_keys = ON');
  // What is deleted is written over with zeros at once; `scrub` sees to the log.
  sqlite.run('PRAGMA secure_delete = ON');

  const execute = ({ sql, params }: Statement): { changes: number } => sqlite.query(sql).run(...params);
  const executeAll = sqlite.transaction((statements: readonly Statement[]) => {
    for (const statement of statements) execute(statement);
  });

  return {
    all: <Row extends object>(sql: string, params: readonly SqlValue[] = []) =>
      answered(() => sqlite.query<Row, SqlValue[]>(sql).all(...params)),
    run: (sql, params = []) => answered(() => ({ changes: execute({ sql, params }).changes })),
    // A single statement is a transaction by itself.
    batch: (statements) =>
      answered(() => {
        const [only, ...more] = statements;
        if (only !== undefined && more.length === 0) execute(only);
        else if (only !== undefined) executeAll.immediate(statements);
      }),
    // Pages as they were before stand in the log until it is copied back and cut.
    scrub: () => answered(() => void sqlite.query('PRAGMA wal_checkpoint(TRUNCATE)').all()),
    close: () =>
      answered(() => {
        sqlite.run('PRAGMA optimize');
        sqlite.close();
      }),
  };
}

function answered<T>(work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (cause) {
    return Promise.reject(new SekishoError('storage_unavailable', { cause }));
  }
}
