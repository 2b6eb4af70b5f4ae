import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { isJsonObject, objectAt, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader, type LedgerRow } from '../support/read-ledger.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
beforeAll(async () => {
  upstream = await startFakeProvider();
  const key = { api_key: 'sk-upstream' };
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      cache: { embeddings: false },
      providers: {
        up: { ...key, wire: 'openai', base_url: upstream.baseUrl, models: ['gpt-4o-mini', 'embed', 'rerank'] },
        claude: { ...key, wire: 'anthropic', base_url: upstream.baseUrl, models: ['claude-sonnet-4-5'] },
      },
      routes: {
        fast: ['up/gpt-4o-mini'],
        sonnet: ['claude/claude-sonnet-4-5'],
        embed: ['up/embed'],
        rerank: ['up/rerank'],
      },
      answers: { route: 'fast' },
      embedding: { route: 'embed' },
      logging: { level: 'silent' },
    },
  });
  ledger = openLedger(server.dataFolder);
  await send('post', '/v1/index', { collection_name: 'town', documents: [DOCUMENT] });
  const cases = [{ question: 'Which hour is the gate shut?', relevant: [{ document: DOCUMENT.id }] }];
  await send('post', '/v1/collections/town/golden-set', { cases });
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const DOCUMENT = { id: 'gate.md', content: 'The gate of the town opens at six and closes at nine.' };
const messages = [{ role: 'user', content: 'When does the gate close?' }];
const chat = { model: 'fast', messages };
/** What was indexed before is not embedded again, so that every text is a new one. */
let texts = 0;
const documents = (): object => ({
  collection_name: 'town',
  documents: [{ id: 'b.md', content: `The bridge has stood for ${++texts} years.` }],
});
const files = (): FormData => {
  const form = new FormData();
  form.append('file', new File([`The bridge carries ${++texts} carts.`], 'bridge.md'));
  return form;
};

function send(method: string, path: string, body?: object): Promise<Response> {
  const isForm = body instanceof FormData;
  return fetch(`${server.url}${path}`, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${server.adminKey}`,
      ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  });
}

/** What is sent to each address that may reach an upstream, in each way in which it does so. */
const REACHING: Record<string, (JsonObject | (() => object))[]> = {
  'post /v1/chat/completions': [chat, { ...chat, stream: true }, { ...chat, model: 'sonnet' }, { ...chat, n: 2 }],
  'post /v1/messages': [
    { ...chat, model: 'sonnet', max_tokens: 9 },
    { ...chat, max_tokens: 9, stream: true },
  ],
  'post /v1/messages/count_tokens': [{ model: 'sonnet', messages }],
  'post /v1/responses': [
    { model: 'fast', input: 'Open?' },
    { model: 'sonnet', input: 'Open?', stream: true },
  ],
  'post /v1/completions': [
    { model: 'fast', prompt: 'Open?' },
    { model: 'fast', prompt: 'Open?', stream: true },
  ],
  'post /v1/embeddings': [
    { model: 'embed', input: 'a gate' },
    { model: 'embed', input: Array.from({ length: 300 }, (_, index) => `gate ${index}`) },
  ],
  'post /v1/rerank': [{ model: 'rerank', query: 'gate', documents: ['a', 'b'] }],
  'post /v2/rerank': [{ model: 'rerank', query: 'gate', documents: ['a', 'b'] }],
  'post /v1/generate': [
    { model: 'fast', prompt: 'Open?' },
    { model: 'fast', prompt: 'Open?', stream: true },
    { model: 'rag/town', prompt: 'When does the gate close?' },
  ],
  'post /v1/summarize': [{ model: 'fast', text: 'The gate opens at six. It closes at nine. Nobody waits.' }],
  'post /v1/embed': [{ model: 'embed', input: 'a gate' }],
  'post /v1/query': [
    // An answer that is given again reaches no upstream.
    () => ({ collection: 'town', query: `When does gate ${++texts} close?` }),
    () => ({ collection: 'town', query: `When does gate ${++texts} open?`, stream: true }),
  ],
  'post /v1/search': [() => ({ collection: 'town', query: `gate ${++texts}` })],
  'post /v1/search/why-not': [() => ({ collection: 'town', query: `gate ${++texts}`, document_id: 'gate.md' })],
  'post /v1/index': [documents],
  'post /v1/collections/{collection}/files': [files],
};

/** Addresses that are answered at once; the job that they begin reaches an upstream. */
const LATER: Record<string, () => object> = {
  'post /v1/query_async': () => ({ collection: 'town', query: `When does the gate open in year ${++texts}?` }),
  'post /v1/batch_index': documents,
  'post /v1/collections/{collection}/evaluations': () => ({}),
  'post /v1/collections/{collection}/golden-set/draft': () => ({ cases: 1 }),
  'post /v1/collections/{collection}/copy': () => ({ name: `town-${++texts}` }),
  'post /v1/collections/{collection}/rebuild': () => ({}),
};

/** Addresses that ask no upstream for an answer, or only in jobs that go the way of those above. */
const APART = [
  'post /v1/collections',
  'get /v1/collections/{collection}',
  'patch /v1/collections/{collection}',
  'delete /v1/collections/{collection}/shadow',
  'post /v1/collections/{collection}/swap',
  'post /v1/collections/{collection}/rollback',
  'patch /v1/collections/{collection}/documents/{id}',
  'get /v1/collections/{collection}/golden-set',
  'post /v1/collections/{collection}/golden-set',
  'delete /v1/collections/{collection}/golden-set',
  'delete /v1/collections/{collection}/golden-set/{id}',
  'get /v1/collections/{collection}/evaluations',
  'get /v1/collections/{collection}/evaluations/{id}',
  'post /v1/collections/{collection}/tune',
  'get /v1/models',
  'get /v1/models/{id}',
  'get /v1/collections',
  'delete /v1/collections/{collection}',
  'get /v1/collections/{collection}/documents',
  'get /v1/collections/{collection}/documents/{id}',
  'delete /v1/collections/{collection}/documents/{id}',
  'post /v1/keys',
  'get /v1/keys',
  'delete /v1/keys/{id}',
  'get /v1/usage',
  'get /v1/usage/export',
  'get /health',
  'get /ready',
  'get /metrics',
  'get /openapi.json',
  'get /sekisho.schema.json',
];
/** The same, of administration; the test of a connection reads a list, which no vendor bills. */
const ADMINISTRATION = /^\w+ \/v1\/(providers|routes|targets|limits|prices|cache|keys|sources|tasks|task_status)(\/|$)/;

test('C3: every address that the server describes is judged here: it reaches an upstream, or it does not', async () => {
  const document = parseJson(await (await send('get', '/openapi.json')).text());
  const paths = objectAt(isJsonObject(document) ? document : {}, 'paths') ?? {};
  const described = Object.entries(paths).flatMap(([path, verbs]) =>
    isJsonObject(verbs) ? Object.keys(verbs).map((verb) => `${verb} ${path}`) : [],
  );
  expect(described.length).toBeGreaterThan(25);
  const judged = new Set([...Object.keys(REACHING), ...Object.keys(LATER), ...APART]);
  expect(described.filter((each) => !judged.has(each) && !ADMINISTRATION.test(each))).toEqual([]);
});

const cases = Object.entries(REACHING).flatMap(([address, bodies]) =>
  bodies.map((body, index) => ({ address, body, index })),
);

/** The rows that came, as soon as they speak of as many upstream calls as the upstream has seen. */
async function rowsSince(before: number): Promise<LedgerRow[]> {
  await upstream.idle();
  return eventually('every upstream call is in the ledger', () => {
    const rows = ledger.rows().slice(before);
    const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
    return attempts === upstream.requests.length && rows;
  });
}

test.each(cases)('C3: $address (#$index) leaves a row for each call of an upstream', async ({ address, body }) => {
  const before = ledger.rows().length;
  const [method = '', path = ''] = address.split(' ');
  const response = await send(method, path.replace('{collection}', 'town'), typeof body === 'function' ? body() : body);
  expect(await response.text()).not.toContain('"error":{');
  expect(response.ok).toBe(true);
  expect(upstream.requests.length).toBeGreaterThan(0);
  const rows = await rowsSince(before);
  expect(rows.every((row) => row.outcome === 'ok')).toBe(true);
  // To count tokens is free of charge, and uses none.
  if (!path.endsWith('count_tokens')) expect(rows.every((row) => row.input_tokens > 0)).toBe(true);
});

test.each(Object.keys(LATER))('C3: the job of %s leaves a row for each call of an upstream', async (address) => {
  const [method = '', path = ''] = address.replace('{collection}', 'town').split(' ');
  const before = ledger.rows().length;
  const response = await send(method, path, LATER[address]?.());
  expect(response.status).toBe(202);
  await eventually('the upstream is reached', () => upstream.requests.length > 0);
  const rows = await rowsSince(before);
  expect(rows.every(({ outcome }) => outcome === 'ok')).toBe(true);
});

test.each(cases)('C3: $address (#$index) leaves a row where the upstream fails, too', async ({ address, body }) => {
  const before = ledger.rows().length;
  for (const model of ['gpt-4o-mini', 'embed', 'rerank', 'claude-sonnet-4-5']) {
    upstream.onModel(model, { fail: { status: 500 } });
  }
  const [method = '', path = ''] = address.split(' ');
  await (await send(method, path.replace('{collection}', 'town'), typeof body === 'function' ? body() : body)).text();
  expect(upstream.requests.length).toBeGreaterThan(0);
  const rows = await rowsSince(before);
  expect(rows.some((row) => row.outcome === 'error')).toBe(true);
});
