import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../../src/ports/database.ts';
import { openPostgres } from '../../support/open-postgres.ts';
import {
  postgresAvailable,
  postgresMissing,
  startPostgres,
  type PostgresServer,
} from '../../support/postgres-server.ts';
import { databaseContract, type DatabaseFixture } from './database.contract.ts';
import { roomsContract } from './rooms.contract.ts';

async function make(): Promise<DatabaseFixture> {
  const server = await startPostgres();
  const database = openPostgres(server);
  return {
    database,
    other: openPostgres(server),
    bytesType: 'BYTEA',
    stop: async () => {
      await database.close();
      await server.stop();
    },
  };
}

if (postgresAvailable) {
  databaseContract('postgres', make);
  roomsContract('postgres', make);
}

describe.skipIf(!postgresAvailable)(`database on Postgres${postgresMissing}`, () => {
  let server: PostgresServer;
  let database: Database;
  beforeAll(async () => {
    server = await startPostgres();
    database = openPostgres(server, { maxConnections: 3, statementTimeoutMs: 500 });
    await server.query('CREATE TABLE t (id TEXT PRIMARY KEY, n BIGINT, d DOUBLE PRECISION)');
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });
  const connections = async (): Promise<number> => {
    const rows = await server.query<{ n: bigint }>(
      "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE application_name = 'sekisho'",
    );
    return Number(rows[0]?.n);
  };

  test('however much is asked at once, there are no more connections than agreed, and they are kept', async () => {
    const rows = await Promise.all(
      Array.from({ length: 300 }, (_, n) => database.all<{ n: number }>('SELECT CAST(? AS BIGINT) AS n', [n])),
    );
    expect(rows.map(([row]) => row?.n)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(await connections()).toBe(3);
  });

  test('a statement that takes long holds up no other, and is ended after its time', async () => {
    const startMs = performance.now();
    const slow = database.all('SELECT pg_sleep(30)').catch((thrown: unknown) => thrown);
    for (let at = 0; at < 50; at++) await database.all('SELECT 1');
    expect(performance.now() - startMs).toBeLessThan(400);
    expect(await slow).toMatchObject({ code: 'storage_unavailable' });
    expect(performance.now() - startMs).toBeLessThan(1_400);
  });

  test('where all connections are taken for long, who waits is told after the same time', async () => {
    const startMs = performance.now();
    const slow = Array.from({ length: 6 }, () =>
      database.all('SELECT pg_sleep(30)').catch((thrown: unknown) => thrown),
    );
    for (const each of await Promise.all(slow)) expect(each).toMatchObject({ code: 'storage_unavailable' });
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(await database.all('SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  test('a statement is prepared once, whatever numbers and gaps it is given', async () => {
    const values = [1, 2.5, null, -7, 2 ** 40, 1e-9];
    const single = openPostgres(server, { maxConnections: 1 });
    for (const n of [1, null, 2 ** 40]) {
      for (const d of values) {
        await single.run('INSERT INTO t VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [`${n} ${d}`, n, d]);
      }
    }
    const prepared = await single.all("SELECT * FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO t %'");
    await single.close();
    expect(prepared).toHaveLength(1);
  });

  test('a change of the schema by another process is no trouble for what is prepared here', async () => {
    await server.query('CREATE TABLE s (id TEXT)');
    await Promise.all(Array.from({ length: 30 }, () => database.all('SELECT * FROM s')));
    await server.query('ALTER TABLE s ADD COLUMN more TEXT');
    for (const rows of await Promise.all(Array.from({ length: 30 }, () => database.all('SELECT * FROM s')))) {
      expect(rows).toEqual([]);
    }
  });

  test('a change of the schema may take longer than a statement of a call', async () => {
    await database.batch([
      { sql: 'CREATE TABLE slowly_made (id TEXT)', params: [] },
      { sql: 'INSERT INTO slowly_made SELECT pg_sleep(0.8)', params: [] },
    ]);
    expect(await database.all('SELECT COUNT(*) AS n FROM slowly_made')).toEqual([{ n: 1 }]);
    const short = database.batch([{ sql: 'INSERT INTO slowly_made SELECT pg_sleep(0.8)', params: [] }]);
    await expect(short).rejects.toMatchObject({ code: 'storage_unavailable' });
  });
});
