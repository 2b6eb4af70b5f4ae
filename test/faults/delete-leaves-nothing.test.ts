import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { fakeVector } from '../support/fake-provider/recorded-embedding.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

/** Erasing waits a second for more deletions and two for readers; the rest is work. */
const ERASED_WITHIN_MS = 20_000;
const DIMENSIONS = 8;

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-delete-'));
let upstream: FakeProvider;
let server: TestServer;
beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await start();
});
afterAll(async () => {
  await server.stop();
  await upstream.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

function start(): Promise<TestServer> {
  const models = ['gpt-4o-mini', 'text-embedding-3-small'];
  return startSekisho({
    dataFolder,
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
    },
  });
}

async function send(method: string, path: string, body?: object): Promise<Response> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** A text that nothing else has, and what its vector looks like in a file. */
function marked(word: string) {
  const text = `The traveller ${word} passed the gate.`;
  const vector = fakeVector(text, DIMENSIONS);
  return { word, text, vector: Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength) };
}
type Marked = ReturnType<typeof marked>;

/** Files of the data folder that hold the word or the vector. */
function traces({ word, vector }: Marked): { word: string[]; vector: string[] } {
  const files = readdirSync(dataFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const holding = (bytes: string | Buffer): string[] =>
    files.filter((file) => {
      try {
        return readFileSync(file).includes(bytes);
      } catch {
        return false; // Taken away between the look at the folder and at the file.
      }
    });
  return { word: holding(word), vector: holding(vector) };
}

async function index(collection: string, documents: readonly { id: string; content: string }[]): Promise<void> {
  await send('POST', '/v1/index', { collection_name: collection, documents });
}

const others = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `other-${i}`,
    content: `The traveller number ${i} passed the gate.`,
  }));
const ask = (collection: string, query: string) => send('POST', '/v1/query', { collection, query });

/** Present at first, or its absence would say nothing; then gone from every file. */
async function expectGone(each: Marked, deletion: () => Promise<unknown>): Promise<void> {
  const before = traces(each);
  expect(before.word.length).toBeGreaterThan(0);
  // In the index and in the cache of embeddings.
  expect(before.vector.length).toBeGreaterThan(1);
  await deletion();
  await eventually(
    `nothing of ${each.word} is left`,
    () => {
      const { word, vector } = traces(each);
      if (word.length + vector.length > 0) throw new Error(`left in ${[...word, ...vector].join(', ')}`);
      return true;
    },
    ERASED_WITHIN_MS,
  );
}

test('a deleted document leaves neither its words nor its vector in any file; what stays is found as before', async () => {
  const gone = marked('zanzibarquux');
  // In the midst of others: a file that held it alone would go as a whole.
  const documents = others(300);
  await index('gate', [...documents.slice(0, 150), { id: 'gone', content: gone.text }, ...documents.slice(150)]);
  await ask('gate', 'Who is the traveller zanzi?');
  await expectGone(gone, () => send('DELETE', '/v1/collections/gate/documents/gone'));
  const hits = await (await send('POST', '/v1/search', { collection: 'gate', query: 'traveller number 77' })).text();
  expect(hits).toContain('traveller number 77 passed');
  // What shared calls and commits with it is there still.
  const kept = marked('number 77');
  expect(traces({ ...kept, word: 'traveller number 77' }).word.length).toBeGreaterThan(0);
}, 60_000);

test('a document that was replaced before leaves nothing of either text', async () => {
  const [first, second] = [marked('quibbleone'), marked('quibbletwo')];
  await index('gate', [{ id: 'changing', content: first.text }, ...others(20)]);
  await index('gate', [{ id: 'changing', content: second.text }]);
  await expectGone(second, () => send('DELETE', '/v1/collections/gate/documents/changing'));
  expect(traces(first)).toEqual({ word: [], vector: [] });
}, 60_000);

test('a deleted collection leaves nothing, nor do the indexes beside its live one', async () => {
  const gone = marked('wobblegate');
  await index('tower', [{ id: 'gone', content: gone.text }, ...others(20)]);
  const chunker = { kind: 'recursive', target_tokens: 20, max_tokens: 40 };
  await send('PATCH', '/v1/collections/tower', { settings: { index: { chunker } } });
  await eventually('the new index is live', async () => {
    const shown = await (await send('GET', '/v1/collections/tower')).text();
    return shown.includes('"version":2') && shown.includes('"state":"previous"');
  });
  await expectGone(gone, () => send('DELETE', '/v1/collections/tower'));
}, 60_000);

test('a deletion whose erasing was cut off by the end of the process is erased by the next', async () => {
  const gone = marked('interruptedxx');
  await index('gate', [{ id: 'cut', content: gone.text }, ...others(20)]);
  await expectGone(gone, async () => {
    await send('DELETE', '/v1/collections/gate/documents/cut');
    await server.stop();
    server = await start();
  });
}, 60_000);
