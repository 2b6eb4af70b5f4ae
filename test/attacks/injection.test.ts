import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { arrayAt } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
  await stage.ask('POST', '/v1/keys', { name: 'somebody' });
});
afterAll(() => stage.stop());

/** Texts that end a string, open a comment, a wildcard, a JSON path or another statement. */
const INJECTIONS = [
  `' OR '1'='1`,
  `' OR 1=1 --`,
  `'; DROP TABLE api_keys; --`,
  `" OR ""="`,
  `') UNION SELECT * FROM api_keys --`,
  `1; UPDATE api_keys SET role='admin'`,
  '%',
  '_',
  '*',
  `\\'; SELECT 1; --`,
  `{"$gt":""}`,
  `$.hash`,
  `$[*]`,
  `x' AND (SELECT COUNT(*) FROM api_keys) > 0 --`,
  `?1`,
  `:hash`,
  `\u02bc OR 1=1`,
];

/** What must be as it was after each attempt. */
async function untouched(): Promise<void> {
  const keys = await stage.ask('GET', '/v1/keys');
  expect(arrayAt(keys.json, 'data').length).toBeGreaterThanOrEqual(1);
  expect((await stage.chat('fast')).status).toBe(200);
}

describe.each(INJECTIONS)('attack 4: %s', (text) => {
  const path = encodeURIComponent(text);

  test('as a key, it is a wrong key', async () => {
    for (const key of [text, `sk-sekisho-${text}`, Buffer.from(text).toString('base64')]) {
      const ascii = key.replaceAll(/[^\x20-\x7e]/g, '');
      for (const headers of [{ authorization: `Bearer ${ascii}` }, { 'x-api-key': ascii }]) {
        expect((await fetch(`${stage.server.url}/v1/models`, { headers })).status).toBe(401);
      }
    }
    await untouched();
  });

  test('as an id or a name in an address, it finds nothing and changes nothing', async () => {
    for (const [method, address] of [
      ['GET', `/v1/keys/${path}`],
      ['DELETE', `/v1/keys/${path}`],
      ['POST', `/v1/keys/${path}/rotate`],
      ['DELETE', `/v1/routes/${path}`],
      ['DELETE', `/v1/providers/${path}`],
      ['POST', `/v1/providers/${path}/test`],
      ['POST', `/v1/targets/${path}/reset`],
      ['GET', `/v1/models/${path}`],
      ['GET', `/v1/collections/${path}/documents`],
      ['GET', `/v1/collections/${path}/documents/${path}`],
      ['DELETE', `/v1/collections/${path}/documents/${path}`],
    ] as const) {
      const { status } = await stage.ask(method, address);
      expect([method, address, status >= 400 && status < 500]).toEqual([method, address, true]);
    }
    await untouched();
  });

  test('as a name in a body, it is a name', async () => {
    const made = await stage.ask('POST', '/v1/keys', { name: text, team: text, tags: [text], allowed_routes: [text] });
    expect(made.json).toMatchObject({ name: text, team: text, tags: [text], allowed_routes: [text] });
    expect((await stage.ask('GET', `/v1/keys/${String(made.json['id'])}`)).json['name']).toBe(text);
    expect((await stage.ask('DELETE', `/v1/keys/${String(made.json['id'])}`)).status).toBe(200);
    const call = await stage.chat('fast', { user: text });
    expect(call.status).toBe(200);
    const usage = await stage.ask('GET', '/v1/usage?by=user');
    expect(usage.text).toContain(JSON.stringify(text).slice(1, -1));
    await untouched();
  });

  test('as a group, a period, a format, a pattern or a filter, it is refused or finds nothing', async () => {
    for (const query of [`by=${path}`, `from=${path}`, `to=${path}`, `by=key,${path}`]) {
      expect([query, (await stage.ask('GET', `/v1/usage?${query}`)).status]).toEqual([query, 400]);
    }
    expect((await stage.ask('GET', `/v1/usage/export?format=${path}`)).status).toBe(400);
    for (const selection of [{ route: text }, { tag: text }, { document: text }]) {
      expect(await stage.ask('POST', '/v1/cache/invalidate', selection)).toMatchObject({ json: { removed: 0 } });
    }
    const asked = await stage.ask('POST', '/v1/search', { query: text, collection: text, filters: { [text]: text } });
    expect([400, 404]).toContain(asked.status);
    await untouched();
  });

  test('as a model, it is a model that does not exist', async () => {
    expect((await stage.chat(text)).status).toBe(404);
    expect((await stage.chat(`rag/${text}`)).status).toBeGreaterThanOrEqual(400);
    await untouched();
  });
});

test('attack 4: a key in a wildcard of the store is no key', async () => {
  const made = await stage.ask('POST', '/v1/keys', { name: 'whole' });
  const key = String(made.json['key']);
  for (const wrong of [
    `${key.slice(0, -1)}%`,
    `${key.slice(0, -1)}_`,
    `${key} `,
    ` ${key}`,
    key.toUpperCase(),
    `${key}\t`,
  ]) {
    const headers = { 'x-api-key': wrong };
    const { status } = await fetch(`${stage.server.url}/v1/models`, { headers });
    // A client trims blanks around the value of a header, so those are the key itself.
    expect([wrong, status]).toEqual([wrong, wrong.trim() === key ? 200 : 401]);
  }
});
