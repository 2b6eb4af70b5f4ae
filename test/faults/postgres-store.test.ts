import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/ports/database.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { eventually } from '../support/eventually.ts';
import { startLatePath } from '../support/late-path.ts';
import { openPostgres } from '../support/open-postgres.ts';
import { postgresAvailable, postgresMissing, startPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { startTcpPath, type TcpPath } from '../support/tcp-path.ts';

const STATEMENT_MS = 1_000;
const CONNECT_MS = 1_000;
/** Until it is known that nobody answers: what counts as slow, and then a connection that does not come. */
const BOUND_MS = 1_000 + CONNECT_MS + 1_000;
const RECOVERY_MS = 5_000;

interface Fault {
  name: string;
  begin: () => unknown;
  end: () => unknown;
}

describe.skipIf(!postgresAvailable)(`fault 6: a Postgres that fails${postgresMissing}`, () => {
  let server: PostgresServer;
  let path: TcpPath;
  let database: Database;
  let asApp: { url: string };
  /** Ends the fault that a test has begun. */
  let heal: (() => unknown) | undefined;
  beforeAll(async () => {
    server = await startPostgres();
    path = await startTcpPath(server.port);
    await server.query('CREATE TABLE t (id TEXT NOT NULL)');
    // A role as one would be given: it may do nothing but use its own tables.
    await server.query('CREATE ROLE app LOGIN; GRANT ALL ON t TO app');
    asApp = { url: `postgres://app@127.0.0.1:${path.port}/postgres` };
  });
  afterAll(async () => {
    await path.stop();
    await server.stop();
  });
  beforeEach(async () => {
    await server.query('TRUNCATE t');
    database = open(asApp);
  });
  afterEach(async () => {
    await heal?.();
    heal = undefined;
    await database.close();
  });

  const open = (at: { url: string }): Database =>
    openPostgres(at, { maxConnections: 4, statementTimeoutMs: STATEMENT_MS, connectTimeoutMs: CONNECT_MS });
  async function timed(work: Promise<unknown>): Promise<{ code: string; ms: number }> {
    const startMs = performance.now();
    const code = await work.then(
      () => 'done',
      (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : String(thrown)),
    );
    return { code, ms: performance.now() - startMs };
  }
  const insert = (id: string) => ({ sql: 'INSERT INTO t VALUES (?)', params: [id] });
  const idsIn = async (): Promise<string[]> =>
    (await server.query<{ id: string }>('SELECT id FROM t')).map(({ id }) => id);

  const faults: Fault[] = [
    { name: 'killed', begin: () => server.kill(), end: () => server.restart() },
    { name: 'stopped, its connections open', begin: () => server.pause(), end: () => server.resume() },
    { name: 'behind a path that swallows everything', begin: () => path.swallow(), end: () => path.delay(0) },
    {
      name: 'out of connections',
      begin: () =>
        server.query(
          `ALTER ROLE app CONNECTION LIMIT 0;
           SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'`,
        ),
      end: () => server.query('ALTER ROLE app CONNECTION LIMIT -1'),
    },
  ];

  describe.each(faults)('$name', (fault) => {
    const begin = async (): Promise<void> => {
      heal = fault.end;
      await fault.begin();
    };
    const end = async (): Promise<void> => {
      heal = undefined;
      await fault.end();
    };

    test('every verb is told within bounds, then at once; all is well soon after', async () => {
      await Promise.all(Array.from({ length: 8 }, () => database.all('SELECT 1')));
      await begin();
      const first = await Promise.all([
        timed(database.all('SELECT 1')),
        timed(database.run('INSERT INTO t VALUES (?)', ['x'])),
        timed(database.batch([insert('x'), insert('y')])),
      ]);
      expect(first.map(({ code }) => code)).toEqual(Array(3).fill('storage_unavailable'));
      expect(Math.max(...first.map(({ ms }) => ms))).toBeLessThan(BOUND_MS);
      const many = await Promise.all(Array.from({ length: 500 }, () => timed(database.all('SELECT 1'))));
      expect(new Set(many.map(({ code }) => code))).toEqual(new Set(['storage_unavailable']));
      expect(Math.max(...many.map(({ ms }) => ms))).toBeLessThan(500);

      await end();
      await eventually('it answers again', () => database.all('SELECT 1'), RECOVERY_MS);
      await Promise.all(Array.from({ length: 20 }, () => database.all('SELECT 1')));
    }, 20_000);

    test('what is repeated where it is not found is there once, and a batch never half', async () => {
      const wanted = Array.from({ length: 150 }, (_, at) => [`a${at}`, `b${at}`] as const);
      let failures = 0;
      const work = Promise.all(
        Array.from({ length: 4 }, async (_, lane) => {
          for (const [a, b] of wanted.filter((__, at) => at % 4 === lane)) {
            for (let isDoubtful = false; ;) {
              try {
                const found = isDoubtful ? await database.all('SELECT id FROM t WHERE id IN (?, ?)', [a, b]) : [];
                if (found.length === 1) throw new Error('A batch is there by half.');
                if (found.length === 0) await database.batch([insert(a), insert(b)]);
                break;
              } catch (thrown) {
                if (!(thrown instanceof SekishoError)) throw thrown;
                failures++;
                isDoubtful = true;
                await new Promise((resolve) => setImmediate(resolve));
              }
            }
          }
        }),
      );
      await eventually('it is under way', async () => (await idsIn()).length > 20);
      await begin();
      await eventually('failures are seen', () => failures > 0);
      await end();
      await work;
      expect((await idsIn()).sort()).toEqual(wanted.flat().sort());
    }, 20_000);
  });

  test('a COMMIT that arrives after it was given up does nothing once the database is up again', async () => {
    const late = await startLatePath(server.port);
    const through = open({ url: `postgres://app@127.0.0.1:${late.port}/postgres` });
    try {
      await through.all('SELECT 1');
      late.holdFrom('COMMIT');
      const given = timed(through.batch([insert('late'), insert('later')]));
      await late.held();
      expect(await given).toMatchObject({ code: 'storage_unavailable' });
      await eventually('it is up again', () => through.all('SELECT 1'), RECOVERY_MS);
      expect(await through.all('SELECT id FROM t')).toEqual([]);
      late.release();
      await eventually('its backend is gone', async () => {
        const rows = await server.query("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'");
        return rows.length === 0;
      });
      expect(await idsIn()).toEqual([]);
    } finally {
      await through.close();
      await late.stop();
    }
  }, 20_000);

  test('a locked table holds up who needs it, for as long as a statement may take, and nobody else', async () => {
    await Promise.all(Array.from({ length: 8 }, () => database.all('SELECT 1')));
    const locker = new Bun.SQL({ url: server.url, max: 1 });
    const lock = await locker.reserve();
    await lock.unsafe('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
    const startMs = performance.now();
    const held = timed(database.batch([insert('x')]));
    let others = 0;
    while (performance.now() - startMs < STATEMENT_MS / 2) {
      expect((await timed(database.all('SELECT 1'))).code).toBe('done');
      others++;
    }
    expect(others).toBeGreaterThan(50);
    expect(await held).toMatchObject({ code: 'storage_unavailable' });
    expect(performance.now() - startMs).toBeWithin(STATEMENT_MS - 100, STATEMENT_MS + 1_000);
    const next = timed(database.batch([insert('y')]));
    await lock.unsafe('COMMIT');
    expect(await next).toMatchObject({ code: 'done' });
    lock.release();
    await locker.close();
    expect(await idsIn()).toEqual(['y']);
  }, 20_000);

  test('a database that is closed while Postgres is silent is closed soon', async () => {
    await database.all('SELECT 1');
    heal = () => server.resume();
    server.pause();
    const left = timed(database.all('SELECT 1'));
    const { ms } = await timed(database.close());
    expect(ms).toBeLessThan(BOUND_MS);
    expect((await left).code).toBe('storage_unavailable');
  }, 20_000);
});
