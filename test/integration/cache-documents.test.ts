import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { redisAvailable, redisMissing, startRedis } from '../support/redis-server.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const HARBOUR = {
  id: 'harbour.md',
  content: 'The harbour closes at nine. Boats wait outside until morning.',
  metadata: { about: 'harbour' },
};
const BRIDGE = {
  id: 'bridge.md',
  content: 'The bridge carries carts of two tons. Heavier carts take the ferry.',
  metadata: { about: 'bridge' },
};
const OF_HARBOUR = { query: 'When does the harbour close?', filters: HARBOUR.metadata };
const OF_BRIDGE = { query: 'How heavy may carts on the bridge be?', filters: BRIDGE.metadata };

let upstream: FakeProvider;
let server: TestServer;

beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await start();
});
afterAll(async () => {
  await server.stop();
  await upstream.stop();
});
beforeEach(async () => {
  upstream.reset();
  await index('town', [HARBOUR, BRIDGE]);
});
afterEach(async () => {
  for (const collection of ['town', 'village']) await send('DELETE', `/v1/collections/${collection}`);
});

function start(more: object = {}): Promise<TestServer> {
  const models = ['gpt-4o-mini', 'text-embedding-3-small'];
  return startSekisho({
    config: {
      discover: false,
      handbook: false,
      providers: { up: { wire: 'openai', api_key: 'sk-upstream-4711', base_url: upstream.baseUrl, models } },
      routes: {
        writer: { targets: ['up/gpt-4o-mini'], cache: { ttl_s: 600 } },
        embed: ['up/text-embedding-3-small'],
      },
      answers: { route: 'writer' },
      embedding: { route: 'embed' },
      logging: { level: 'silent' },
      ...more,
    },
  });
}

async function send(method: string, path: string, body?: object, at = server): Promise<Response> {
  return fetch(`${at.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${at.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function bodyOf(response: Response): Promise<JsonObject> {
  const text = await response.text();
  const body: unknown = JSON.parse(text);
  if (response.status !== 200 || !isJsonObject(body)) throw new Error(`${response.status}: ${text}`);
  return body;
}

async function index(collection: string, documents: readonly object[], at = server): Promise<void> {
  const body = { collection_name: collection, documents };
  const outcome = await bodyOf(await send('POST', '/v1/index', body, at));
  expect(outcome['failed']).toEqual([]);
}

/** Asks for an answer from one of the documents alone. @returns whether the upstream was asked for it. */
async function asked(question: typeof OF_HARBOUR, collection = 'town', at = server): Promise<boolean> {
  const before = writes();
  const answer = await bodyOf(await send('POST', '/v1/query', { collection, ...question }, at));
  expect(arrayAt(answer, 'sources').map((source) => isJsonObject(source) && source['document_id'])).toEqual([
    `${question.filters.about}.md`,
  ]);
  return writes() > before;
}

/** Calls of the upstream that had an answer written, or a text embedded. */
const writes = (): number => upstream.requests.filter(({ path }) => path.endsWith('/chat/completions')).length;
const embeds = (): number => upstream.requests.filter(({ path }) => path.endsWith('/embeddings')).length;

/** Answers that are kept. */
async function kept(at = server): Promise<unknown> {
  const stats = await bodyOf(await send('GET', '/v1/cache', undefined, at));
  return objectAt(objectAt(stats, 'answers') ?? {}, 'memory')?.['entries'];
}

/** Both questions answered, so that both answers are kept. */
async function answerBoth(): Promise<void> {
  expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, true]);
  expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([false, false]);
  expect(await kept()).toBe(2);
}

describe('answers from documents are kept', () => {
  test('K7: a question that is answered twice costs one upstream call', async () => {
    expect(await asked(OF_HARBOUR)).toBe(true);
    expect(await asked(OF_HARBOUR)).toBe(false);
    const messages = [{ role: 'user', content: OF_HARBOUR.query }];
    const chats = [];
    for (let at = 0; at < 2; at++)
      chats.push(await send('POST', '/v1/chat/completions', { model: 'rag/town', messages }));
    expect(chats.map(({ headers }) => headers.get('x-sekisho-cache'))).toEqual(['miss', 'hit']);
    expect(await chats[1]?.text()).toContain('"finish_reason":"stop"');
    expect(writes()).toBe(2);
  });

  test('K7: a caller of a collection as a model may go past the cache', async () => {
    const body = JSON.stringify({ model: 'rag/town', messages: [{ role: 'user', content: OF_HARBOUR.query }] });
    const authorization = `Bearer ${server.adminKey}`;
    const caches = [];
    for (const wish of ['use', 'use', 'bypass']) {
      const headers = { authorization, 'content-type': 'application/json', 'x-sekisho-cache': wish };
      const answer = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body });
      caches.push(answer.headers.get('x-sekisho-cache'));
    }
    expect(caches).toEqual(['miss', 'hit', 'miss']);
  });
});

describe('a document that changes takes along the answers that used it, and no others', () => {
  test('K7: a new version, and the old one again', async () => {
    await answerBoth();
    await index('town', [{ ...HARBOUR, content: 'The harbour closes at ten.' }]);
    expect(await kept()).toBe(1);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, false]);
    await index('town', [HARBOUR]);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, false]);
  });

  test('K7: other metadata, by which it is filtered, with the same text', async () => {
    await answerBoth();
    await index('town', [{ ...HARBOUR, metadata: { ...HARBOUR.metadata, readers: ['staff'] } }]);
    expect(await kept()).toBe(1);
    await index('town', [HARBOUR]);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, false]);
  });

  test('K7: sent again as it was, it changes nothing', async () => {
    await answerBoth();
    await index('town', [HARBOUR, BRIDGE]);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([false, false]);
  });

  test('K7: deleted, and sent again', async () => {
    await answerBoth();
    expect((await send('DELETE', `/v1/collections/town/documents/${HARBOUR.id}`)).status).toBe(200);
    expect(await kept()).toBe(1);
    await index('town', [HARBOUR]);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, false]);
  });

  test('K7: a document of the same id in another collection is another document', async () => {
    await index('village', [{ ...HARBOUR, content: 'The harbour of the village closes at eight.' }]);
    await answerBoth();
    expect(await asked(OF_HARBOUR, 'village')).toBe(true);
    expect((await send('DELETE', `/v1/collections/village/documents/${HARBOUR.id}`)).status).toBe(200);
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([false, false]);
  });

  test('K7: an administrator names a document by its id alone', async () => {
    await answerBoth();
    const removed = await bodyOf(await send('POST', '/v1/cache/invalidate', { document: BRIDGE.id }));
    // What the model wrote, and the answer that was made of it.
    expect(removed).toEqual({ removed: 2 });
    expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([false, true]);
  });
});

test('K7: a collection that is deleted takes along all of its answers and its embeddings', async () => {
  await answerBoth();
  await index('village', [BRIDGE]);
  expect(await asked(OF_BRIDGE, 'village')).toBe(false);
  expect((await send('DELETE', '/v1/collections/town')).status).toBe(200);
  expect(await kept()).toBe(0);
  const before = embeds();
  await index('town', [HARBOUR, BRIDGE]);
  expect(embeds()).toBe(before + 1);
  expect([await asked(OF_HARBOUR), await asked(OF_BRIDGE)]).toEqual([true, true]);
});

test.skipIf(!redisAvailable)(
  `K7: a shared store that does not answer stops no deletion, and this process forgets${redisMissing}`,
  async () => {
    const redis = await startRedis();
    const replica = await start({ redis: { url: redis.url } });
    try {
      await index('town', [HARBOUR, BRIDGE], replica);
      expect([await asked(OF_HARBOUR, 'town', replica), await asked(OF_HARBOUR, 'town', replica)]).toEqual([
        true,
        false,
      ]);
      await redis.kill();
      const path = `/v1/collections/town/documents/${HARBOUR.id}`;
      expect((await send('DELETE', path, undefined, replica)).status).toBe(200);
      expect((await send('GET', path, undefined, replica)).status).toBe(404);
      expect(await kept(replica)).toBe(0);
      const metrics = await (await send('GET', '/metrics', undefined, replica)).text();
      expect(metrics).toMatch(/sekisho_store_failures_total\{store="cache"\} 1/);
    } finally {
      await replica.stop();
      await redis.stop();
    }
  },
);
