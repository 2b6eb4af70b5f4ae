import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { postgresAvailable, postgresMissing, startPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const MODEL = 'gpt-4o-mini';

describe.skipIf(!postgresAvailable)(`replicas on one Postgres${postgresMissing}`, () => {
  let postgres: PostgresServer;
  let upstream: FakeProvider;
  let here: TestServer;
  let there: TestServer;
  beforeAll(async () => {
    postgres = await startPostgres();
    upstream = await startFakeProvider();
    const config = {
      discover: false,
      handbook: false,
      database: { url: postgres.url },
      providers: { up: { wire: 'openai' as const, base_url: upstream.baseUrl, api_key: 'x', models: [MODEL] } },
      routes: { fast: [`up/${MODEL}`] },
      logging: { level: 'silent' as const },
    };
    [here, there] = await Promise.all([startSekisho({ config }), startSekisho({ config })]);
  });
  afterAll(async () => {
    await here.stop();
    await there.stop();
    await upstream.stop();
    await postgres.stop();
  });

  const send = (server: TestServer, path: string, key: string, init: { body?: object; method?: string } = {}) =>
    fetch(`${server.url}${path}`, {
      method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'idempotency-key': 'same' },
      ...(init.body && { body: JSON.stringify(init.body) }),
    });
  const call = (server: TestServer, key: string): Promise<Response> =>
    send(server, '/v1/chat/completions', key, {
      body: { model: 'fast', messages: [{ role: 'user', content: 'Is it open?' }] },
    });

  test('a key made here works there at once; a repeat there is answered from here and billed once', async () => {
    const key = await here.createKey({ name: 'shared' });
    const [first, repeat] = [await call(here, key), await call(there, key)];
    expect([first.status, repeat.status]).toEqual([200, 200]);
    expect(await repeat.text()).toBe(await first.text());
    expect(upstream.requests).toHaveLength(1);
    const rows = await eventually('the row is there', async () => {
      const usage: unknown = parseJson(await (await send(there, '/v1/usage', there.adminKey)).text());
      const groups = isJsonObject(usage) && Array.isArray(usage['groups']) ? usage['groups'] : [];
      return groups.length > 0 && groups;
    });
    expect(rows).toMatchObject([{ requests: 1 }]);
  });

  test('a key revoked here is refused there within a second', async () => {
    const key = await here.createKey({ name: 'short' });
    expect((await send(there, '/v1/models', key)).status).toBe(200);
    const listed: unknown = parseJson(await (await send(there, '/v1/keys', there.adminKey)).text());
    const keys = isJsonObject(listed) && Array.isArray(listed['data']) ? listed['data'] : [];
    const own = keys.filter(isJsonObject).find(({ name }) => name === 'short');
    const revoked = await send(here, `/v1/keys/${String(own?.['id'])}`, here.adminKey, { method: 'DELETE' });
    expect(revoked.ok).toBe(true);
    await eventually('it is refused', async () => (await send(there, '/v1/models', key)).status === 401, 1_500);
  });
});
