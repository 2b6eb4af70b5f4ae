import type { Database, SqlValue, Statement } from '../../ports/database.ts';
import { SekishoError } from '../../spec/errors.ts';
import { createNumberedParameters } from './numbered-parameters.ts';
import { isRefusal, isStalePlan } from './postgres-errors.ts';
import { createPostgresPool, type PostgresPoolOptions } from './postgres-pool.ts';
import type { PostgresSession, SqlParameter } from './postgres-session.ts';

/** What a change of the schema may take, where an index over a large table is made. */
const SCHEMA_TIMEOUT_MS = 600_000;
const SCHEMA_CHANGE = /^\s*(CREATE|ALTER|DROP)\b/i;

/**
 * The state of many processes in one Postgres. Each verb has a connection of its own for as long as it runs;
 * connections are opened when needed, kept, and replaced when they are lost.
 *
 * BIGINT comes as a number, exact up to 2^53; a sum of BIGINT comes as text, as Postgres gives it. NUL, which
 * Postgres does not store in text, is stored as U+FFFD.
 *
 * A verb that rejects did nothing, except where the connection was lost: then it is not known, and known at the
 * latest when a later verb of the same database succeeds. What the later one finds has happened, and the rest never will.
 *
 * @throws SekishoError storage_unavailable from every verb: at once while Postgres is known to be down, else within
 *   the limits of connection and statement.
 */
export function createPostgresDatabase(options: PostgresPoolOptions): Database {
  const pool = createPostgresPool(options);
  const numbered = createNumberedParameters();

  const execute = <Row extends object>(session: PostgresSession, { sql, params }: Statement, limitMs?: number) =>
    session.execute<Row>(numbered(sql), params.map(parameterOf), limitMs);

  /** One statement by itself; where its plan was stale it did nothing, and a fresh connection has none. */
  const once = <Row extends object>(statement: Statement) => {
    const work = (session: PostgresSession) => execute<Row>(session, statement);
    return answered(
      pool.use(work).catch((thrown: unknown) => {
        if (!isStalePlan(thrown)) throw thrown;
        return pool.use(work);
      }),
    );
  };

  async function transaction(session: PostgresSession, statements: readonly Statement[]): Promise<void> {
    const changesSchema = statements.some(({ sql }) => SCHEMA_CHANGE.test(sql));
    await session.execute('BEGIN');
    try {
      if (changesSchema) await session.execute(`SET LOCAL statement_timeout = ${SCHEMA_TIMEOUT_MS}`);
      for (const statement of statements) {
        await execute(session, statement, changesSchema ? SCHEMA_TIMEOUT_MS : undefined);
      }
      await session.execute('COMMIT');
    } catch (thrown) {
      // A connection that is lost or in doubt ends, and the transaction with it.
      if (isRefusal(thrown)) await session.execute('ROLLBACK');
      throw thrown;
    }
  }

  return {
    all: async <Row extends object>(sql: string, params: readonly SqlValue[] = []) => {
      const { rows } = await once<Row>({ sql, params });
      for (const row of rows) narrow(row);
      return rows;
    },
    run: async (sql, params = []) => {
      const { changes } = await once({ sql, params });
      return { changes };
    },
    batch: async (statements) => {
      if (statements.length > 0) await answered(pool.use((session) => transaction(session, statements)));
    },
    close: () => pool.close(),
  };
}

async function answered<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new SekishoError('storage_unavailable', { cause });
  }
}

/**
 * Numbers go as text, whose type Postgres infers from the place: otherwise each mixture of whole numbers, fractions
 * and nulls in a statement would be prepared as a statement of its own.
 */
function parameterOf(value: SqlValue): SqlParameter {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value;
}

/** The client gives every BIGINT as a bigint. */
function narrow(row: object): void {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === 'bigint') Reflect.set(row, name, Number(value));
  }
}
