import { afterAll, beforeEach, expect, test } from 'bun:test';
import { createCohereProvider } from './cohere-provider.ts';

let seen: { path: string; traceparent: string | null }[] = [];
let answer: object = {};
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request) => {
    const { pathname, search } = new URL(request.url);
    seen.push({ path: pathname + search, traceparent: request.headers.get('traceparent') });
    return Response.json(answer);
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
});

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const provider = (suffix = '') =>
  createCohereProvider({
    name: 'co',
    baseUrl: `http://127.0.0.1:${server.port}${suffix}`,
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 2_000 },
    nowMs: () => 7,
  });
const context = () => ({
  model: 'm',
  target: 'co/m',
  signal: new AbortController().signal,
  forwardHeaders: { traceparent, 'x-other': 'stays here' },
});
const request = { messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: 'Open?' }] }] };
const said = { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] };

test.each(['', '/', '/v1', '/v2/'])('an address that ends with "%s" is the same; the trace goes along', async (end) => {
  answer = { id: 'a', finish_reason: 'MAX_TOKENS', message: said };
  const got = await provider(end).chat?.({ ...context(), request: () => request });
  expect(seen).toEqual([{ path: '/v2/chat', traceparent }]);
  expect(got?.result()).toMatchObject({ finish: 'length', usage: { basis: 'estimated' } });
  expect(got?.usage.inputTokens).toBeGreaterThan(0);
});

test('a whole answer to a call for a stream becomes one', async () => {
  answer = { id: 'a', finish_reason: 'STOP_SEQUENCE', message: said };
  const stream = await provider().streamChat?.({ ...context(), request: () => request });
  const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
  expect(parts).toContainEqual({ type: 'text', text: 'Yes.' });
  expect(parts.at(-1)).toEqual({ type: 'finish', finish: 'stop' });
});

test.each([
  ['too many requests', 'upstream_failed'],
  [undefined, 'upstream_broken'],
])('status 200 with the message %p is no answer', async (message, code) => {
  answer = message === undefined ? {} : { message };
  const outcome = provider().chat?.({ ...context(), request: () => request });
  expect(await outcome?.catch((thrown: unknown) => thrown)).toMatchObject({ code });
});

test('embeddings and reranks take the trace along; searches that are not told are counted', async () => {
  answer = { embeddings: { float: [[1, 0]] } };
  await provider().embed?.({ ...context(), request: { input: ['a'] } });
  answer = { results: [{ index: 100, relevance_score: 0.5 }] };
  const documents = Array.from({ length: 101 }, (_, place) => `t${place}`);
  const reranked = await provider().rerank?.({ ...context(), request: { query: 'q', documents } });
  expect(seen).toEqual([
    { path: '/v2/embed', traceparent },
    { path: '/v2/rerank', traceparent },
  ]);
  expect(reranked?.usage).toMatchObject({ searchUnits: 2, basis: 'estimated' });
});

test('is probed and lists its models', async () => {
  answer = { models: [{ name: 'command-a' }, { name: 7 }] };
  await provider().probe?.(context().signal);
  expect(await provider().listModels?.(context().signal)).toEqual(['command-a']);
  expect(seen.map(({ path }) => path)).toEqual(['/v1/models?page_size=1', '/v1/models?page_size=1000']);
});
