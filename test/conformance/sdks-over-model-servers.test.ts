import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';
import { collectStream, TEXT, WEATHER_TOOL } from './openai-expectations.ts';

const CREDENTIAL = 'server-upstream-credential-4711';
let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
let openai: OpenAI;
let anthropic: Anthropic;
beforeAll(async () => {
  upstream = await startFakeProvider();
  const timeouts = { connect_ms: 150, first_byte_ms: 150, between_data_ms: 150 };
  const both = { api_key: CREDENTIAL, base_url: upstream.origin };
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      providers: {
        ol: { ...both, wire: 'ollama', models: ['llama3.2'] },
        'hasty-ol': { ...both, wire: 'ollama', models: ['llama3.2'], timeouts },
        ks: { ...both, wire: 'kserve', models: ['qwen', 'embedder'] },
        'hasty-ks': { ...both, wire: 'kserve', models: ['qwen'], timeouts },
      },
      routes: {
        ollama: ['ol/llama3.2'],
        'hasty-ollama': ['hasty-ol/llama3.2'],
        kserve: ['ks/qwen'],
        'hasty-kserve': ['hasty-ks/qwen'],
        embedder: ['ks/embedder'],
      },
      logging: { level: 'silent' },
    },
  });
  ledger = openLedger(server.dataFolder);
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.adminKey, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: server.url, apiKey: server.adminKey, maxRetries: 0 });
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const messages = [{ role: 'user' as const, content: 'Is the gate open?' }];
const wires = [
  { model: 'ollama', call: '/api/chat', output: 14 },
  { model: 'kserve', call: '/v2/models/qwen/generate', output: 15 },
];

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

describe.each(wires)('openai SDK -> $model wire', ({ model, call, output }) => {
  const called = (): JsonObject => upstream.requests.find(({ path }) => path.startsWith(call))?.json ?? {};

  test('plain, with the usage that the server tells, in the ledger too', async () => {
    const response = await post('/v1/chat/completions', { model, messages, max_tokens: 100 });
    expect(await response.json()).toMatchObject({
      choices: [{ message: { content: TEXT }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 17, completion_tokens: output },
    });
    expect(upstream.requests.map(({ headers }) => headers['authorization'])).not.toContain(undefined);
    expect(JSON.stringify(called())).toMatch(/(?:num_predict|max_tokens)\W{2,5}100\b/);
    expect(await ledger.settled(response.headers.get('x-sekisho-request-id'))).toMatchObject({ outcome: 'ok' });
  });

  test('stream, byte by byte, with usage only where asked for', async () => {
    upstream.script({ pieces: 'byte' });
    const ask = { model, messages, stream: true } as const;
    const hidden = await collectStream(await openai.chat.completions.create(ask));
    expect(hidden).toMatchObject({ text: TEXT, finish: 'stop', finishes: 1, usage: undefined, emptyChunks: 0 });
    const shown = await collectStream(
      await openai.chat.completions.create({ ...ask, stream_options: { include_usage: true } }),
    );
    expect(shown.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: output });
  });

  test.each(['cut', 'reset', 'bad-chunk'] as const)(
    'a stream that breaks midway (%s) is an error, no end',
    async (how) => {
      upstream.script({ break: { at: { events: 3 }, how } });
      const text = await (await post('/v1/chat/completions', { model, messages, stream: true })).text();
      expect(text).toContain('The');
      expect(text).toContain('"error"');
      expect(text).not.toContain('"finish_reason":"stop"');
    },
  );

  test('a stream that is closed before its end is no whole answer', async () => {
    upstream.script({ events: (events) => events.slice(0, -1) });
    const text = await (await post('/v1/chat/completions', { model, messages, stream: true })).text();
    expect(text).toContain('"error"');
    expect(text).not.toContain('"finish_reason":"stop"');
  });

  test('an error in mid-stream is told, and nothing after it', async () => {
    const error = '{"error":"CUDA error: out of memory"}';
    const told = model === 'ollama' ? `${error}\n` : `data: ${error}\n\n`;
    upstream.script({ events: (events) => [...events.slice(0, 2), told, ...events.slice(2)] });
    const text = await (await post('/v1/chat/completions', { model, messages, stream: true })).text();
    expect(text.match(/"error"/g)).toHaveLength(1);
    expect(text).not.toContain('CUDA');
    expect(text).not.toContain('開いています');
  });

  test('a stream that stands still is given up', async () => {
    upstream.script({ stall: { at: { events: 2 } } });
    const text = await (await post('/v1/chat/completions', { model: `hasty-${model}`, messages, stream: true })).text();
    expect(text).toContain('upstream_timeout');
  });

  test('an abort by the SDK reaches the upstream', async () => {
    upstream.script({ stall: { at: { events: 2 } } });
    const stream = await openai.chat.completions.create({ model, messages, stream: true });
    for await (const _ of stream) stream.controller.abort();
    const streamed = upstream.requests.find(({ path }) => path.startsWith(call));
    await streamed?.aborted;
    expect(upstream.aborts).toBe(1);
  });

  test.each([
    [401, 502],
    [429, 429],
    [500, 502],
  ])('an upstream that answers %i is told as %i, without its credential', async (told, status) => {
    upstream.script({ fail: { status: told, body: JSON.stringify({ error: `no: ${CREDENTIAL}` }) } });
    const response = await post('/v1/chat/completions', { model, messages });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(CREDENTIAL);
  });

  test('anthropic SDK, plain and streamed', async () => {
    const ask = { model, max_tokens: 100, messages };
    const answers = [await anthropic.messages.create(ask), await anthropic.messages.stream(ask).finalMessage()];
    for (const answer of answers) {
      expect(answer.content.map((block) => (block.type === 'text' ? block.text : ''))).toEqual([TEXT]);
      expect(answer).toMatchObject({ stop_reason: 'end_turn', usage: { input_tokens: 17, output_tokens: output } });
    }
  });
});

describe('openai SDK -> ollama wire', () => {
  const model = 'ollama';

  test('tools, and the result of a tool sent back under the name of its function', async () => {
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
      { role: 'assistant', tool_calls: [{ function: { name: 'get_weather', arguments: { city: 'Tokyo' } } }] },
      { role: 'tool', tool_name: 'get_weather', content: '{"celsius":21}' },
    ]);
  });

  test('parallel tools keep order and index, with ids of their own, streamed', async () => {
    upstream.script({ answer: 'parallel-tools' });
    const seen = await collectStream(
      await openai.chat.completions.create({ model, messages, tools: [WEATHER_TOOL], stream: true }),
    );
    expect(seen.calls.map((call) => cityOf(call.function.arguments))).toEqual(['Tokyo', 'Paris']);
    expect(new Set(seen.calls.map(({ id }) => id)).size).toBe(2);
    expect(seen.finish).toBe('tool_calls');
  });

  test('a schema and a picture travel as they are', async () => {
    const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
    const url = 'data:image/png;base64,iVBORw0KGgo=';
    const answer = await openai.chat.completions.create({
      model,
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
      response_format: { type: 'json_schema', json_schema: { name: 'gate', schema } },
    });
    expect(answer.choices[0]?.message.content).toBe('{"name":"Hakone"}');
    expect(upstream.requests[0]?.json).toMatchObject({ format: schema, messages: [{ images: ['iVBORw0KGgo='] }] });
  });

  test('thoughts reach a caller of the anthropic dialect', async () => {
    const answer = await anthropic.messages.create({
      model,
      max_tokens: 4_096,
      thinking: { type: 'enabled', budget_tokens: 1_024 },
      messages,
    });
    expect(answer.content).toMatchObject([
      { type: 'thinking', thinking: 'Six times seven: 42.' },
      { type: 'text', text: '6 x 7 = 42.' },
    ]);
  });

  test('a model that is not there is told as such', async () => {
    upstream.script({ fail: { status: 404 } });
    const response = await post('/v1/chat/completions', { model, messages });
    expect(await response.text()).toContain('upstream_not_found');
  });
});

test.each([
  ['ollama', '/api/embed', 5],
  ['embedder', '/v2/models/embedder/infer', 2],
] as const)('embeddings of %s', async (model, path, tokens) => {
  const answer = await openai.embeddings.create({ model, input: ['a', '関所'], encoding_format: 'float' });
  expect(answer.data.map(({ embedding }) => embedding.length)).toEqual([8, 8]);
  expect(answer.data[0]?.embedding).not.toEqual(answer.data[1]?.embedding);
  expect(answer.usage.prompt_tokens).toBeGreaterThanOrEqual(tokens);
  expect(upstream.requests.at(-1)?.path).toBe(path);
});
