import { afterAll, beforeAll, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, numberAt, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const SMALLER = { kind: 'recursive', target_tokens: 20, max_tokens: 40 };
const FIXED = { kind: 'fixed', tokens: 30, overlap_tokens: 5 };

let server: TestServer;
beforeAll(async () => {
  server = await startSekisho({ config: { discover: false, handbook: false, logging: { level: 'silent' } } });
});
afterAll(() => server.stop());

async function send(method: string, path: string, body?: object, key = server.adminKey) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json: unknown = JSON.parse(await response.text());
  return { status: response.status, body: isJsonObject(json) ? json : {} };
}
const codeOf = ({ status, body }: { status: number; body: JsonObject }) => [status, objectAt(body, 'error')?.['code']];

const text = (i: number) => `The traveller number ${i} passed the gate. `.repeat(30);
async function filled(name: string, documents = 4): Promise<void> {
  const sent = Array.from({ length: documents }, (_, i) => ({ id: `d${i}`, content: text(i) }));
  expect((await send('POST', '/v1/index', { collection_name: name, documents: sent })).status).toBe(200);
}

async function live(name: string, version: number): Promise<JsonObject> {
  return eventually(
    `version ${version} of ${name} is live`,
    async () => {
      const { body } = await send('GET', `/v1/collections/${name}`);
      return body['version'] === version && body['shadow'] === null && body;
    },
    20_000,
  );
}

async function found(name: string, query: string): Promise<unknown[]> {
  const { body } = await send('POST', '/v1/search', { collection: name, query });
  return arrayAt(body, 'hits').map((hit) => isJsonObject(hit) && hit['document_id']);
}

test('made with settings, shown with them, changed in part; wrong ones are refused by name', async () => {
  const made = await send('POST', '/v1/collections', {
    name: 'plans',
    settings: {
      index: { chunker: FIXED },
      retrieval: { top_k: 3, trust: { field: 'tier', factors: { low_tier: 0.5 } } },
    },
  });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    version: 1,
    settings: {
      index: { chunker: FIXED },
      retrieval: { top_k: 3, candidates: 100, trust: { factors: { low_tier: 0.5 } }, rewrite: { sub_queries: false } },
    },
    statistics: { documents: 0, by_state: { ready: 0 } },
    shadow: null,
  });
  expect(codeOf(await send('POST', '/v1/collections', { name: 'plans' }))).toEqual([409, 'conflict']);
  const changed = await send('PATCH', '/v1/collections/plans', {
    settings: { retrieval: { dense_weight: 0.4 }, answer: { verify: 'withhold' } },
  });
  expect(changed.body).toMatchObject({
    version: 1,
    settings: { retrieval: { top_k: 3, dense_weight: 0.4 }, answer: { verify: 'withhold' }, index: { chunker: FIXED } },
    settings_revision: 1,
  });
  for (const settings of [
    { retrieval: { top_k: 101 } },
    { index: { chunker: { kind: 'fixed', tokens: 30, overlap_tokens: 20 } } },
    { index: { chunker: { kind: 'shredder' } } },
    { unknown: true },
  ]) {
    expect(codeOf(await send('PATCH', '/v1/collections/plans', { settings }))).toEqual([400, 'invalid_request']);
  }
});

test('another chunker builds an index beside the live one; the one before is gone back to', async () => {
  await filled('ways');
  const before = (await send('GET', '/v1/collections/ways')).body;
  const chunks = (body: JsonObject): number => numberAt(objectAt(body, 'statistics') ?? {}, 'chunks') ?? 0;
  expect(objectAt(before, 'statistics')).toMatchObject({ documents: 4, by_state: { ready: 4 }, waiting: 0 });
  expect((await send('PATCH', '/v1/collections/ways', { settings: { index: { chunker: SMALLER } } })).status).toBe(200);
  const after = await live('ways', 2);
  expect(chunks(after)).toBeGreaterThan(chunks(before));
  expect(objectAt(after, 'previous')).toMatchObject({ version: 1, state: 'previous', progress: 1 });
  expect((await found('ways', 'traveller number 2'))[0]).toBe('d2');
  expect((await send('POST', '/v1/collections/ways/rollback')).status).toBe(202);
  expect(chunks(await live('ways', 1))).toBe(chunks(before));
  expect(codeOf(await send('POST', '/v1/collections/ways/swap', {}))).toEqual([409, 'conflict']);
  expect(codeOf(await send('DELETE', '/v1/collections/ways/shadow'))).toEqual([409, 'conflict']);
});

test('copied with documents and settings; what becomes of one is not of the other', async () => {
  await filled('first');
  await send('PATCH', '/v1/collections/first', { settings: { retrieval: { top_k: 2 } } });
  expect((await send('POST', '/v1/collections/first/copy', { name: 'second' })).status).toBe(202);
  await eventually('the copy is indexed', async () => {
    const { body } = await send('GET', '/v1/collections/second');
    return objectAt(objectAt(body, 'statistics') ?? {}, 'by_state')?.['ready'] === 4;
  });
  expect(objectAt((await send('GET', '/v1/collections/second')).body, 'settings')).toMatchObject({
    retrieval: { top_k: 2 },
  });
  await send('DELETE', '/v1/collections/first');
  expect((await found('second', 'traveller number 3'))[0]).toBe('d3');
  expect(codeOf(await send('POST', '/v1/collections/first/copy', { name: 'third' }))).toEqual([
    404,
    'collection_not_found',
  ]);
});

test('renamed: everything is there under the new name, and the old one is free for another', async () => {
  await filled('old');
  await filled('taken', 1);
  expect(codeOf(await send('PATCH', '/v1/collections/old', { name: 'taken' }))).toEqual([409, 'conflict']);
  expect((await send('PATCH', '/v1/collections/old', { name: 'new' })).body).toMatchObject({ name: 'new' });
  expect(codeOf(await send('GET', '/v1/collections/old'))).toEqual([404, 'collection_not_found']);
  expect((await found('new', 'traveller number 1'))[0]).toBe('d1');
  await filled('old', 1);
  expect(objectAt((await send('GET', '/v1/collections/old')).body, 'statistics')).toMatchObject({ documents: 1 });
  expect(objectAt((await send('GET', '/v1/collections/new')).body, 'statistics')).toMatchObject({ documents: 4 });
  await send('DELETE', '/v1/collections/old');
  expect((await found('new', 'traveller number 3'))[0]).toBe('d3');
  expect((await send('GET', '/v1/collections/new/documents/d3')).body).toMatchObject({ id: 'd3' });
});

test('is for administrators, and for keys that may use the collection', async () => {
  await filled('closed', 1);
  const member = await server.createKey({ name: 'member' });
  const bound = await server.createKey({ name: 'bound', allowedRoutes: ['rag/ways'] });
  expect((await send('GET', '/v1/collections/closed', undefined, member)).status).toBe(200);
  expect(codeOf(await send('GET', '/v1/collections/closed', undefined, bound))).toEqual([403, 'route_forbidden']);
  const settings = { retrieval: { top_k: 1 } };
  for (const [method, path, body] of [
    ['POST', '', { name: 'x' }],
    ['PATCH', '/closed', { settings }],
    ['POST', '/closed/copy', { name: 'x' }],
    ['POST', '/closed/rebuild', {}],
    ['DELETE', '/closed', undefined],
  ] as const) {
    expect(codeOf(await send(method, `/v1/collections${path}`, body, member))).toEqual([403, 'forbidden']);
  }
});
