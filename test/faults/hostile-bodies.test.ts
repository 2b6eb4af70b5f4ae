import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

/** In a process of its own: what holds up the server must not be mistaken for what holds up the test. */
let server: ServerProcess;
let upstream: FakeProvider;
let pinger: Worker;
beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekishoProcess({
    config: {
      discover: false,
      handbook: false,
      logging: { level: 'silent' },
      providers: { up: { wire: 'openai', base_url: upstream.baseUrl, models: ['m'] } },
      routes: { fast: ['up/m'] },
    },
  });
  pinger = new Worker(URL.createObjectURL(new Blob([PINGER], { type: 'text/javascript' })));
});
afterAll(async () => {
  pinger.terminate();
  await server.stop();
  await upstream.stop();
});

/** Asks for /health again and again on a thread of its own and tells the longest time that an answer took. */
const PINGER = `
let on = false;
onmessage = async ({ data }) => {
  if (data === 'stop') { on = false; return; }
  on = true;
  await (await fetch(data)).text();
  postMessage(0);
  let longest = 0;
  while (on) {
    const began = performance.now();
    await (await fetch(data)).text();
    longest = Math.max(longest, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  postMessage(longest);
};`;

const told = (): Promise<number> =>
  new Promise((resolve) => {
    pinger.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
  });

/** How long others wait for an answer, at most, while the work goes on. */
async function longestWaitMs(work: () => Promise<unknown>): Promise<number> {
  const begun = told();
  pinger.postMessage(`${server.url}/health`);
  await begun;
  await work();
  const longest = told();
  pinger.postMessage('stop');
  return longest;
}

const MESSAGE = '{"role":"user","content":"hi"}';
const chat = (rest: string): string => `{"model":"fast","messages":[${MESSAGE}]${rest}}`;
const nested = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels);
const BOMB = new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024)));

/** Bodies and how they are answered; 200 where they harm nobody. */
const BODIES: {
  what: string;
  body: () => string | Uint8Array<ArrayBuffer>;
  status: number;
  headers?: Record<string, string>;
}[] = [
  {
    what: 'a prompt of 40 MB',
    body: () => `{"model":"fast","messages":[{"role":"user","content":"${'x'.repeat(40_000_000)}"}]}`,
    status: 413,
  },
  { what: '64 MB of nothing in 64 KB of gzip', body: () => BOMB, status: 415, headers: { 'content-encoding': 'gzip' } },
  {
    what: 'a gzip of a gzip',
    body: () => new Uint8Array(gzipSync(BOMB)),
    status: 415,
    headers: { 'content-encoding': 'gzip, gzip' },
  },
  {
    what: '100,000 messages',
    body: () => `{"model":"fast","messages":[${`${MESSAGE},`.repeat(99_999)}${MESSAGE}]}`,
    status: 400,
  },
  { what: '200 lists deep', body: () => chat(`,"x":${nested('[', ']', 200)}`), status: 400 },
  { what: '200 objects deep', body: () => chat(`,"x":${nested('{"a":', '}', 200).replace('}', '1}')}`), status: 400 },
  { what: 'a million levels', body: () => nested('[', ']', 1_000_000), status: 400 },
  {
    what: 'a million keys',
    body: () => chat(`,${Array.from({ length: 1_000_000 }, (_, at) => `"k${at}":0`).join(',')}`),
    status: 400,
  },
  { what: 'a million times the same key', body: () => chat(`,${'"k":0,'.repeat(1_000_000)}"k":0`), status: 400 },
  { what: 'bytes that are no text', body: () => new Uint8Array(1_000_000).fill(0xff), status: 400 },
  { what: 'NUL in place of JSON', body: () => '\u0000'.repeat(1_000_000), status: 400 },
  {
    what: 'JSON that never ends',
    body: () => `{"model":"fast","messages":[${`${MESSAGE},`.repeat(50_000)}`,
    status: 400,
  },
  { what: 'a string that never ends', body: () => `{"model":"${'\\"'.repeat(2_000_000)}`, status: 400 },
];

async function send(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const began = performance.now();
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}`, ...headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, text, tookMs: performance.now() - began };
}

/** A busy machine may hold up anything once; what holds up every time is the server. */
const TRIES = 4;
const ANSWER_MS = 200;
const BLOCK_MS = 100;

describe('fault 9: what is not to be served is refused at once, and holds up nobody', () => {
  test.each(BODIES)('$what', async ({ body, status, headers }) => {
    const bytes = body();
    const asked = upstream.requests.length;
    let best = { tookMs: Infinity, waitMs: Infinity };
    for (let tries = 0; tries < TRIES && (best.tookMs > ANSWER_MS || best.waitMs > BLOCK_MS); tries++) {
      let tookMs = 0;
      const waitMs = await longestWaitMs(async () => {
        const answer = await send(bytes, headers);
        expect(answer.status).toBe(status);
        expect(answer.text.length).toBeLessThan(2_000);
        ({ tookMs } = answer);
      });
      best = { tookMs: Math.min(best.tookMs, tookMs), waitMs: Math.min(best.waitMs, waitMs) };
    }
    expect(best.tookMs).toBeLessThan(ANSWER_MS);
    expect(best.waitMs).toBeLessThan(BLOCK_MS);
    expect(upstream.requests).toHaveLength(asked);
  });

  test('a prompt of 10 MB is served, and nobody waits for it', async () => {
    const body = `{"model":"fast","messages":[{"role":"user","content":"${'関所 gate '.repeat(800_000)}"}]}`;
    let waitMs = Infinity;
    for (let tries = 0; tries < TRIES && waitMs > BLOCK_MS; tries++) {
      waitMs = Math.min(waitMs, await longestWaitMs(async () => expect((await send(body)).status).toBe(200)));
    }
    expect(waitMs).toBeLessThan(BLOCK_MS);
    expect(upstream.requests.at(-1)?.body.length).toBeGreaterThan(5_000_000);
  });
});

test.each([
  ['a prototype', ',"__proto__":{"stream":true,"role":"admin"},"constructor":{"prototype":{"x":1}}'],
  ['a number beyond all numbers', ',"temperature":1e400'],
  ['a number of 100,000 digits', `,"max_tokens":${'9'.repeat(100_000)}`],
  ['lone surrogates', ',"user":"\\ud800\\udfff\\ud800"'],
  ['NUL in a text', ',"user":"a\\u0000b"'],
  ['the same key twice', ',"stream":true,"stream":false'],
])('fault 9: %s is an error of the caller or does nothing', async (_, rest) => {
  const { status, text } = await send(chat(rest));
  expect([200, 400]).toContain(status);
  expect(text).toStartWith('{');
  expect((await send(chat(''))).status).toBe(200);
});
