import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider, type RecordedRequest } from '../support/fake-provider/fake-provider.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let upstream: FakeProvider;
let spare: FakeProvider;
let server: TestServer;
beforeAll(async () => {
  upstream = await startFakeProvider();
  spare = await startFakeProvider();
  const models = ['gpt-4o-mini', 'claude-sonnet-4-5'];
  const provider = { api_key: 'sk-x', models };
  const context = { policy: 'newest' as const, max_input_tokens: 400 };
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      providers: {
        up: { wire: 'openai', base_url: upstream.baseUrl, ...provider },
        spare: { wire: 'openai', base_url: spare.baseUrl, ...provider },
        claude: { wire: 'anthropic', base_url: upstream.baseUrl, ...provider },
      },
      routes: {
        open: ['up/gpt-4o-mini'],
        newest: { targets: ['up/gpt-4o-mini'], context },
        crossed: { targets: ['claude/claude-sonnet-4-5'], context: { ...context, max_input_tokens: 600 } },
        summed: {
          targets: ['up/gpt-4o-mini'],
          context: { policy: 'summarise', max_input_tokens: 900, summary_route: 'brief' },
        },
        brief: ['spare/gpt-4o-mini'],
        backed: { targets: ['up/gpt-4o-mini', 'spare/gpt-4o-mini'], context: { policy: 'drop-middle' } },
      },
      targets: {
        'up/gpt-4o-mini': { context_tokens: 128_000 },
        'spare/gpt-4o-mini': { context_tokens: 1_200 },
      },
      logging: { level: 'silent' },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await Promise.all([upstream.stop(), spare.stop()]);
});
beforeEach(() => {
  upstream.reset();
  spare.reset();
});

const ask = (body: object, path = '/v1/chat/completions'): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify({ max_tokens: 100, ...body }),
  });
const turns = (count: number): JsonObject[] => [
  { role: 'system', content: 'You keep the gate.' },
  ...Array.from({ length: count }, (_, at) => [
    { role: 'user', content: `question ${at} ${'the road is long and dusty '.repeat(15)}` },
    { role: 'assistant', content: `answer ${at} ${'the gate opens at dawn '.repeat(15)}` },
  ]).flat(),
  { role: 'user', content: 'And now?' },
];
const told = (request: RecordedRequest | undefined): string[] =>
  arrayAt(request?.json ?? {}, 'messages').map((message) => {
    const content = isJsonObject(message) ? message['content'] : undefined;
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    return text.split(' ').slice(0, 2).join(' ');
  });

test('a history within the limit passes as it came, byte for byte but for the model', async () => {
  const messages = turns(1);
  expect((await ask({ model: 'newest', messages, unknown_field: 1 })).status).toBe(200);
  expect(upstream.requests[0]?.json['messages']).toEqual(messages);
  expect(upstream.requests[0]?.json['unknown_field']).toBe(1);
});

test('a longer one is trimmed, plain and streamed, on its own wire and on another', async () => {
  for (const stream of [false, true]) {
    expect((await ask({ model: 'newest', messages: turns(10), stream })).status).toBe(200);
  }
  for (const request of upstream.requests) {
    expect(told(request)[0]).toBe('You keep');
    expect(told(request).at(-1)).toBe('And now?');
    expect(told(request).length).toBeWithin(3, 8);
    expect(told(request)[1]).toStartWith('question');
  }
  expect((await ask({ model: 'crossed', messages: turns(10) })).status).toBe(200);
  const crossed = upstream.requests[2];
  expect(JSON.stringify(crossed?.json['system'])).toContain('You keep the gate.');
  expect(arrayAt(crossed?.json ?? {}, 'messages').length).toBeWithin(1, 7);
});

test('a pinned message stays, and no upstream sees the mark, trimmed or not', async () => {
  const messages = turns(10);
  messages[1] = { role: 'user', content: 'my name is Oyama', pinned: true };
  expect((await ask({ model: 'newest', messages })).status).toBe(200);
  expect(told(upstream.requests[0])).toContain('my name');
  expect((await ask({ model: 'open', messages })).status).toBe(200);
  for (const request of upstream.requests) expect(request.body).not.toContain('pinned');
});

test('what does not fit even so is a 400 with both sizes', async () => {
  const messages = [{ role: 'user', content: 'the road is long '.repeat(500) }];
  const response = await ask({ model: 'newest', messages });
  expect(response.status).toBe(400);
  const body = parseJson(await response.text());
  const error = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : {};
  expect(error['code']).toBe('context_too_long');
  expect(stringAt(error, 'message')).toMatch(/at least \d+ tokens, and 400 fit/);
  expect(upstream.requests).toHaveLength(0);
});

test('the middle is summarised by the route that is named for it, on the account of the same key', async () => {
  expect((await ask({ model: 'summed', messages: turns(14) })).status).toBe(200);
  expect(spare.requests).toHaveLength(1);
  expect(spare.requests[0]?.body).toContain('question 0');
  expect(upstream.requests[0]?.body).toContain('Summary of the earlier part of this conversation');
  expect(told(upstream.requests[0]).at(-1)).toBe('And now?');
});

test('where the summary fails, the middle is dropped', async () => {
  spare.script({ fail: { status: 500 } });
  expect((await ask({ model: 'summed', messages: turns(15) })).status).toBe(200);
  expect(upstream.requests[0]?.body).not.toContain('Summary of');
  expect(told(upstream.requests[0]).at(-1)).toBe('And now?');
});

test('on fallback the prompt is fitted again, for the window of the next target', async () => {
  upstream.script({ fail: { status: 503 } });
  const messages = turns(20);
  expect((await ask({ model: 'backed', messages })).status).toBe(200);
  expect(upstream.requests[0]?.json['messages']).toEqual(messages);
  const fitted = told(spare.requests[0]);
  expect(fitted.slice(0, 3)).toEqual(['You keep', 'question 0', 'answer 0']);
  expect(fitted.at(-1)).toBe('And now?');
  expect(fitted.length).toBeLessThan(20);
});
