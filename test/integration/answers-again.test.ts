import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { redisAvailable, redisMissing, startRedis } from '../support/redis-server.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const HARBOUR = { id: 'harbour.md', content: 'The harbour closes at nine. Boats wait outside until morning.' };
const BRIDGE = { id: 'bridge.md', content: 'The bridge carries carts of two tons. Heavier carts take the ferry.' };
const OF_HARBOUR = 'When does the harbour close?';
const OF_BRIDGE = 'What does the bridge carry?';
const OF_NOTHING = 'Who painted the lighthouse?';

let server: TestServer;
let member: string;
let collection = 'town';
let runs = 0;

beforeAll(async () => {
  server = await start();
  member = await server.createKey({ name: 'member' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  collection = `town-${++runs}`;
  await index([HARBOUR, BRIDGE]);
});

/** Quoted answers: no route with a cache stands behind them, so that what is kept is the answer to the question. */
function start(more: object = {}): Promise<TestServer> {
  return startSekisho({ config: { discover: false, handbook: false, logging: { level: 'silent' }, ...more } });
}

interface Caller {
  at?: TestServer;
  key?: string;
  headers?: Record<string, string>;
}

async function send(method: string, path: string, body?: object, { at = server, key, headers }: Caller = {}) {
  return fetch(`${at.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key ?? at.adminKey}`, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function index(documents: readonly object[], at = server): Promise<void> {
  const answer = await send('POST', '/v1/index', { collection_name: collection, documents }, { at });
  expect(answer.status).toBe(200);
}

async function ask(
  query: string,
  body: object = {},
  caller: Caller = {},
): Promise<{ cache: string | null; json: JsonObject }> {
  const answer = await send('POST', '/v1/query', { collection, query, ...body }, caller);
  const json: unknown = await answer.json();
  if (answer.status !== 200 || !isJsonObject(json)) throw new Error(JSON.stringify(json));
  expect(json['cache']).toBe(answer.headers.get('x-sekisho-cache') ?? '');
  return { cache: answer.headers.get('x-sekisho-cache'), json };
}

async function caches(...queries: string[]): Promise<(string | null)[]> {
  const all = [];
  for (const query of queries) all.push((await ask(query)).cache);
  return all;
}

describe('an answer is given again', () => {
  test('to the same question, word for word, with its sources and what was verified', async () => {
    const first = await ask(OF_HARBOUR);
    const second = await ask(OF_HARBOUR);
    expect([first.cache, second.cache]).toEqual(['miss', 'hit']);
    const timeless = (json: JsonObject): JsonObject => ({ ...json, cache: 'either', processing_time: 0 });
    expect(timeless(second.json)).toEqual(timeless(first.json));
    expect(first.json['answered']).toBe(true);
  });

  test('as a stream too, and as a model', async () => {
    await ask(OF_HARBOUR);
    const stream = await send('POST', '/v1/query', { collection, query: OF_HARBOUR, stream: true });
    expect(stream.headers.get('x-sekisho-cache')).toBe('hit');
    const text = await stream.text();
    const events = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    expect(events).toEqual(['sources', 'delta', 'citations', 'verification', 'done']);
    const messages = [{ role: 'user', content: OF_HARBOUR }];
    const chat = await send('POST', '/v1/chat/completions', { model: `rag/${collection}`, messages });
    expect(chat.headers.get('x-sekisho-cache')).toBe('hit');
    expect(await chat.text()).toContain('The harbour closes at nine.');
  });

  test('and not to another question, other filters, another history, another number of passages', async () => {
    await ask(OF_HARBOUR);
    for (const body of [{ filters: { team: 'port' } }, { history: [{ role: 'user', content: 'Hello' }] }, { top_k: 1 }])
      expect((await ask(OF_HARBOUR, body)).cache).toBe('miss');
    expect((await ask('When does the bridge close?')).cache).toBe('miss');
  });

  test('and not to a caller with other rights', async () => {
    await ask(OF_HARBOUR);
    expect((await ask(OF_HARBOUR, {}, { key: member })).cache).toBe('miss');
    expect((await ask(OF_HARBOUR, {}, { key: member })).cache).toBe('hit');
  });

  test('and not where the caller goes past what is kept, or has it made anew', async () => {
    await ask(OF_HARBOUR);
    const wish = (value: string): Caller => ({ headers: { 'x-sekisho-cache': value } });
    expect((await ask(OF_HARBOUR, {}, wish('bypass'))).cache).toBe('miss');
    expect((await ask(OF_HARBOUR, {}, wish('refresh'))).cache).toBe('miss');
    expect((await ask(OF_HARBOUR, {}, wish('use'))).cache).toBe('hit');
  });
});

describe('documents take along exactly the answers that used them', () => {
  const twice = async (): Promise<void> => {
    expect(await caches(OF_HARBOUR, OF_BRIDGE)).toEqual(['miss', 'miss']);
    expect(await caches(OF_HARBOUR, OF_BRIDGE)).toEqual(['hit', 'hit']);
  };
  /** Each question finds its own document alone. */
  const only = (id: string): object => ({ filters: { about: id } });

  test('K7: a document that is re-ingested, and the answer is the new one', async () => {
    await index([
      { ...HARBOUR, metadata: { about: 'harbour' } },
      { ...BRIDGE, metadata: { about: 'bridge' } },
    ]);
    for (const cache of ['miss', 'hit']) {
      expect((await ask(OF_HARBOUR, only('harbour'))).cache).toBe(cache);
      expect((await ask(OF_BRIDGE, only('bridge'))).cache).toBe(cache);
    }
    await index([{ id: HARBOUR.id, content: 'The harbour closes at ten.', metadata: { about: 'harbour' } }]);
    const again = await ask(OF_HARBOUR, only('harbour'));
    expect([again.cache, again.json['answer']]).toEqual(['miss', 'The harbour closes at ten.']);
    expect((await ask(OF_BRIDGE, only('bridge'))).cache).toBe('hit');
  });

  test('K7: a document that is deleted is in no answer any more', async () => {
    await twice();
    expect((await send('DELETE', `/v1/collections/${collection}/documents/${HARBOUR.id}`)).status).toBe(200);
    const again = await ask(OF_HARBOUR);
    expect(again.cache).toBe('miss');
    expect(JSON.stringify(again.json)).not.toContain('closes at nine');
  });

  test('K7: a document that is opened to others, and to nobody who asks, is in no answer any more', async () => {
    const asMember = { key: member };
    expect((await ask(OF_HARBOUR, {}, asMember)).json['answered']).toBe(true);
    expect((await ask(OF_HARBOUR, {}, asMember)).cache).toBe('hit');
    await index([{ ...HARBOUR, access: { groups: ['port'] } }]);
    const closed = await ask(OF_HARBOUR, {}, asMember);
    expect(closed.cache).toBe('miss');
    expect(JSON.stringify(closed.json)).not.toContain('closes at nine');
    await index([{ ...HARBOUR, access: { roles: ['member'] } }]);
    expect((await ask(OF_HARBOUR, {}, asMember)).json['answered']).toBe(true);
  });

  test('K7: a document that is sent again as it was changes nothing', async () => {
    await twice();
    await index([HARBOUR, BRIDGE]);
    expect(await caches(OF_HARBOUR, OF_BRIDGE)).toEqual(['hit', 'hit']);
  });

  test('K7: a document that is new ends what was said without it', async () => {
    expect((await ask(OF_NOTHING)).json['answered']).toBe(false);
    expect(await caches(OF_NOTHING, OF_HARBOUR)).toEqual(['hit', 'miss']);
    await index([{ id: 'lighthouse.md', content: 'Hanako Mori painted the lighthouse in spring.' }]);
    const again = await ask(OF_NOTHING);
    expect([again.cache, again.json['answered']]).toEqual(['miss', true]);
    expect((await ask(OF_HARBOUR)).cache).toBe('miss');
  });

  test('K7: a change of a document ends what the documents did not say', async () => {
    expect(await caches(OF_NOTHING, OF_NOTHING)).toEqual(['miss', 'hit']);
    await index([{ id: BRIDGE.id, content: 'Hanako Mori painted the lighthouse in spring.' }]);
    expect((await ask(OF_NOTHING)).json['answered']).toBe(true);
  });

  test('K7: a collection that is deleted and made again is another one', async () => {
    await twice();
    expect((await send('DELETE', `/v1/collections/${collection}`)).status).toBe(200);
    await index([HARBOUR, BRIDGE]);
    expect(await caches(OF_HARBOUR, OF_BRIDGE)).toEqual(['miss', 'miss']);
  });

  test('K7: an administrator names what is to be forgotten', async () => {
    await twice();
    const removed = await send('POST', '/v1/cache/invalidate', { tag: `collection:${collection}` });
    expect(await removed.json()).toEqual({ removed: 2 });
    expect(await caches(OF_HARBOUR)).toEqual(['miss']);
  });
});

test.skipIf(!redisAvailable)(
  `K7: through Redis replicas give each other's answers, and forget together${redisMissing}`,
  async () => {
    const redis = await startRedis();
    const one = await start({ redis: { url: redis.url } });
    try {
      await index([HARBOUR, BRIDGE], one);
      expect((await ask(OF_HARBOUR, {}, { at: one })).cache).toBe('miss');
      expect((await ask(OF_HARBOUR, {}, { at: one })).cache).toBe('hit');
      await index([{ ...HARBOUR, content: 'The harbour closes at ten.' }], one);
      const again = await ask(OF_HARBOUR, {}, { at: one });
      expect([again.cache, again.json['answer']]).toEqual(['miss', 'The harbour closes at ten.']);
    } finally {
      await one.stop();
      await redis.stop();
    }
  },
);
