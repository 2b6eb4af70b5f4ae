import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileConfig } from '../../src/config/schema.ts';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { postgresAvailable, postgresMissing, startPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { startSekisho, startSekishoProcess, type TestServer } from '../support/start-server.ts';

const MODEL = 'gpt-4o-mini';
const STATEMENT_MS = 500;
/** What counts as slow, then a connection that does not come; on a busy machine. */
const BOUND_MS = 1_000 + 2_000 + 1_500;
const RECOVERY_MS = 5_000;
const UNKNOWN_KEY = 'sk-sekisho-of-nobody-at-all';

describe.skipIf(!postgresAvailable)(`fault 6: servers whose Postgres fails${postgresMissing}`, () => {
  let postgres: PostgresServer;
  let upstream: FakeProvider;
  let config: FileConfig;
  let servers: [TestServer, TestServer];
  /** Requests that were answered with a 200, each of which must be in the ledger, once. */
  let acknowledged: string[] = [];
  let heal: (() => unknown) | undefined;
  beforeAll(async () => {
    postgres = await startPostgres();
    await postgres.query('CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO app');
    upstream = await startFakeProvider();
    config = {
      discover: false,
      handbook: false,
      database: {
        url: postgres.url.replace('sekisho@', 'app@'),
        max_connections: 4,
        statement_timeout_ms: STATEMENT_MS,
      },
      providers: {
        up: {
          wire: 'openai',
          base_url: upstream.baseUrl,
          api_key: 'x',
          models: [MODEL],
          prices: { [MODEL]: { input_per_million: 1, output_per_million: 1 } },
        },
      },
      routes: { fast: [`up/${MODEL}`] },
      logging: { level: 'silent' },
    };
    // Both start at once, on a database that has no table yet.
    servers = await Promise.all([startSekisho({ config }), startSekisho({ config })]);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await upstream.stop();
    await postgres.stop();
  });
  afterEach(async () => {
    await heal?.();
    heal = undefined;
  });

  interface Told {
    status: number;
    code: unknown;
    ms: number;
  }
  async function ask(key: string, at: TestServer = servers[0]): Promise<Told> {
    const startMs = performance.now();
    const response = await fetch(`${at.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'fast', max_tokens: 20, messages: [{ role: 'user', content: 'Is it open?' }] }),
    });
    const body = parseJson(await response.text());
    const error = isJsonObject(body) ? body['error'] : undefined;
    if (response.status === 200) acknowledged.push(response.headers.get('x-sekisho-request-id') ?? '');
    return {
      status: response.status,
      code: isJsonObject(error) ? error['code'] : undefined,
      ms: performance.now() - startMs,
    };
  }
  const makes = (server: TestServer): Promise<Response> =>
    fetch(`${server.url}/v1/keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
      body: JSON.stringify({ name: 'made', role: 'member' }),
    });
  const isWell = async (server: TestServer): Promise<boolean> =>
    (await makes(server)).ok &&
    (await fetch(`${server.url}/ready`)).ok &&
    (await ask(UNKNOWN_KEY, server)).status === 401;

  /** Waits until every acknowledged request is in the ledger, and finds each of them once. */
  async function settled(): Promise<void> {
    const rows = await eventually('all rows are there', async () => {
      const found = await postgres.query<{ request_id: string }>('SELECT request_id FROM ledger');
      return found.length >= acknowledged.length && found;
    });
    expect(rows.map((row) => row.request_id).sort()).toEqual(acknowledged.toSorted());
  }

  const faults = [
    { name: 'killed', begin: () => postgres.kill(), end: () => postgres.restart() },
    { name: 'stopped', begin: () => postgres.pause(), end: () => postgres.resume() },
    {
      name: 'out of connections',
      begin: () =>
        postgres.query(
          `ALTER ROLE app CONNECTION LIMIT 0;
           SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'`,
        ),
      end: () => postgres.query('ALTER ROLE app CONNECTION LIMIT -1'),
    },
  ];

  test.each(faults)(
    '$name: known keys go on, unknown ones get a 503 and never a 401, no row is lost or doubled',
    async (fault) => {
      const known = await servers[0].createKey({ name: 'known' });
      for (const server of servers) expect((await ask(known, server)).status).toBe(200);
      // Calls go on from before the fault to behind it.
      let goesOn = true;
      const told: Told[] = [];
      const callers = servers.flatMap((server) =>
        Array.from({ length: 4 }, async () => {
          while (goesOn) told.push(await ask(known, server));
        }),
      );
      const countOf = told.length;
      await eventually('calls are under way', () => told.length > countOf + 50);

      heal = fault.end;
      await fault.begin();
      for (const server of servers) {
        const refused = await eventually('it is known', async () => {
          const answer = await ask(UNKNOWN_KEY, server);
          expect([401, 503]).toContain(answer.status);
          return answer.status === 503 && answer;
        });
        expect(refused).toMatchObject({ code: 'storage_unavailable' });
        expect(refused.ms).toBeLessThan(BOUND_MS);
        for (let at = 0; at < 5; at++) expect((await ask(UNKNOWN_KEY, server)).status).toBe(503);
        expect((await makes(server)).status).toBe(503);
        expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      }
      // Longer than a key counts as fresh.
      const soFar = told.length;
      const beganMs = performance.now();
      await eventually('calls go on', () => told.length > soFar + 200 && performance.now() - beganMs > 1_100, 10_000);

      heal = undefined;
      await fault.end();
      for (const server of servers) await eventually('all is well', () => isWell(server), RECOVERY_MS);
      goesOn = false;
      await Promise.all(callers);
      expect(new Set(told.map(({ status }) => status))).toEqual(new Set([200]));
      expect(Math.max(...told.map(({ ms }) => ms))).toBeLessThan(BOUND_MS);
      await settled();
    },
    60_000,
  );

  test('restarted under load, again and again: every call is answered and in the ledger once', async () => {
    const known = await servers[1].createKey({ name: 'known' });
    for (const server of servers) expect((await ask(known, server)).status).toBe(200);
    let goesOn = true;
    const statuses: number[] = [];
    const callers = servers.flatMap((server) =>
      Array.from({ length: 4 }, async () => {
        while (goesOn) statuses.push((await ask(known, server)).status);
      }),
    );
    for (let round = 0; round < 3; round++) {
      const soFar = statuses.length;
      await eventually('calls go on', () => statuses.length > soFar + 100);
      await postgres.restart();
      for (const server of servers) await eventually('all is well', () => isWell(server), RECOVERY_MS);
    }
    goesOn = false;
    await Promise.all(callers);
    expect(new Set(statuses)).toEqual(new Set([200]));
    await settled();
  }, 60_000);

  test('the ledger is locked for several times as long as a statement may take: no call waits, no row is lost', async () => {
    const known = await servers[0].createKey({ name: 'known' });
    const locker = new Bun.SQL({ url: postgres.url, max: 1 });
    const lock = await locker.reserve();
    await lock.unsafe('BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE');
    heal = () => lock.unsafe('COMMIT');
    const startMs = performance.now();
    const told: Told[] = [];
    while (performance.now() - startMs < STATEMENT_MS * 5) told.push(await ask(known), await ask(known, servers[1]));
    expect(new Set(told.map(({ status }) => status))).toEqual(new Set([200]));
    expect(Math.max(...told.map(({ ms }) => ms))).toBeLessThan(STATEMENT_MS);
    // Keys are another table.
    expect((await makes(servers[0])).status).toBe(201);
    expect((await ask(UNKNOWN_KEY)).status).toBe(401);
    // What needs the ledger says so.
    const usage = await fetch(`${servers[0].url}/v1/usage`, {
      headers: { authorization: `Bearer ${servers[0].adminKey}` },
    });
    expect(usage.status).toBe(503);
    heal = undefined;
    await lock.unsafe('COMMIT');
    lock.release();
    await locker.close();
    await settled();
  }, 60_000);

  test('all connections but its own are taken: a server that has some goes on with them', async () => {
    const known = await servers[0].createKey({ name: 'known' });
    const [row] = await postgres.query<{ n: bigint }>(
      "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE usename = 'app'",
    );
    heal = () => postgres.query('ALTER ROLE app CONNECTION LIMIT -1');
    await postgres.query(`ALTER ROLE app CONNECTION LIMIT ${Math.max(1, Number(row?.n))}`);
    const told = await Promise.all(
      Array.from({ length: 40 }, () => Promise.all([ask(known), makes(servers[0]), ask(UNKNOWN_KEY)])),
    );
    for (const [asked, made, unknown] of told) {
      expect([asked.status, made.status, unknown.status]).toEqual([200, 201, 401]);
    }
    await settled();
  }, 30_000);

  test('killed with -9 while Postgres is down: what it had acknowledged is in the ledger after both are back', async () => {
    const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-test-'));
    const first = await startSekishoProcess({ config, dataFolder });
    const known = await first.createKey({ name: 'known' });
    expect((await ask(known, first)).status).toBe(200);
    heal = () => postgres.restart();
    await postgres.kill();
    for (let at = 0; at < 30; at++) expect((await ask(known, first)).status).toBe(200);
    await first.kill();
    heal = undefined;
    await postgres.restart();
    const second = await startSekishoProcess({ config, dataFolder });
    expect((await ask(known, second)).status).toBe(200);
    await settled();
    await second.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }, 60_000);
});
