import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';
import { collectStream, TEXT, WEATHER_TOOL } from './openai-expectations.ts';

const CREDENTIAL = 'co-upstream-credential-4711';
let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
let openai: OpenAI;
beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      providers: { co: { wire: 'cohere', api_key: CREDENTIAL, base_url: upstream.origin, models: ['command-a'] } },
      routes: { command: ['co/command-a'] },
      logging: { level: 'silent' },
    },
  });
  ledger = openLedger(server.dataFolder);
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.adminKey, maxRetries: 0 });
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const model = 'command';
const messages = [{ role: 'user' as const, content: 'Is the gate open?' }];

function cityOf(written: string): unknown {
  const args = parseJson(written);
  return isJsonObject(args) ? args['city'] : undefined;
}

async function post(path: string, body: JsonObject): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify(body),
  });
}

describe('openai SDK -> cohere wire', () => {
  test('plain: what is billed is the usage, and nothing of it came from the cache', async () => {
    const answer = await openai.chat.completions.create({ model, messages, max_tokens: 100 });
    expect(answer.choices[0]).toMatchObject({ message: { content: TEXT }, finish_reason: 'stop' });
    expect(answer.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 14 });
    expect(answer.usage?.prompt_tokens_details?.cached_tokens ?? 0).toBe(0);
    expect(upstream.requests[0]?.path).toBe('/v2/chat');
    expect(upstream.requests[0]?.headers['authorization']).toBe(`Bearer ${CREDENTIAL}`);
    expect(upstream.requests[0]?.json).toMatchObject({ model: 'command-a', max_tokens: 100 });
  });

  test('stream, byte by byte, with usage only where asked for', async () => {
    upstream.script({ pieces: 'byte' });
    const ask = { model, messages, stream: true } as const;
    const hidden = await collectStream(await openai.chat.completions.create(ask));
    expect(hidden).toMatchObject({ text: TEXT, finish: 'stop', finishes: 1, usage: undefined, emptyChunks: 0 });
    const shown = await collectStream(
      await openai.chat.completions.create({ ...ask, stream_options: { include_usage: true } }),
    );
    expect(shown.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 14 });
  });

  test('tools, and the result of a tool sent back', async () => {
    const first = await openai.chat.completions.create({ model, messages, tools: [WEATHER_TOOL] });
    const answer = first.choices[0]?.message;
    const call = answer?.tool_calls?.[0];
    if (!answer || call?.type !== 'function') throw new Error('no call');
    expect([call.function.name, cityOf(call.function.arguments)]).toEqual(['get_weather', 'Tokyo']);
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    const second = await openai.chat.completions.create({
      model,
      messages: [...messages, answer, { role: 'tool', tool_call_id: call.id, content: '{"celsius":21}' }],
      tools: [WEATHER_TOOL],
    });
    expect(second.choices[0]?.message.content).toBe(TEXT);
    expect(upstream.requests[1]?.json['messages']).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: [{ id: 'get_weather_tokyo01' }] },
      { role: 'tool', tool_call_id: 'get_weather_tokyo01', content: '{"celsius":21}' },
    ]);
  });

  test('parallel tools keep order and index, streamed', async () => {
    upstream.script({ answer: 'parallel-tools' });
    const seen = await collectStream(
      await openai.chat.completions.create({ model, messages, tools: [WEATHER_TOOL], stream: true }),
    );
    expect(seen.calls.map((call) => cityOf(call.function.arguments))).toEqual(['Tokyo', 'Paris']);
    expect(seen.finish).toBe('tool_calls');
  });

  test('a stream that breaks midway is an error and no end', async () => {
    upstream.script({ break: { at: { events: 4 }, how: 'cut' } });
    const response = await post('/v1/chat/completions', { model, messages, stream: true });
    const text = await response.text();
    expect(text).toContain('"error"');
    expect(text).not.toContain('"finish_reason":"stop"');
  });

  test.each([
    [401, 502],
    [429, 429],
    [500, 502],
  ])('an upstream that answers %i is told as %i, without its credential', async (told, status) => {
    upstream.script({ fail: { status: told, body: JSON.stringify({ message: `no: ${CREDENTIAL}` }) } });
    const response = await post('/v1/chat/completions', { model, messages });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(CREDENTIAL);
  });
});

test('embeddings', async () => {
  const answer = await openai.embeddings.create({ model, input: ['a', 'b'], encoding_format: 'float' });
  expect(answer.data.map(({ embedding }) => embedding.length)).toEqual([8, 8]);
  expect(answer.usage.prompt_tokens).toBe(5);
  expect(upstream.requests[0]?.path).toBe('/v2/embed');
});

test('rerank, billed by the search', async () => {
  const response = await post('/v1/rerank', { model, query: 'q', documents: ['a', 'b', 'c'], top_n: 2 });
  expect(await response.json()).toMatchObject({
    results: [
      { index: 2, relevance_score: 0.3 },
      { index: 1, relevance_score: 0.2 },
    ],
  });
  expect(upstream.requests[0]).toMatchObject({ path: '/v2/rerank', json: { model: 'command-a', top_n: 2 } });
  expect(await ledger.settled(response.headers.get('x-sekisho-request-id'))).toMatchObject({ outcome: 'ok' });
});
