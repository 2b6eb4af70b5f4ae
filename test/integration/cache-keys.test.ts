import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let upstream: FakeProvider;
let server: TestServer;
let keys: { one: string; two: string };
beforeAll(async () => {
  upstream = await startFakeProvider();
  const provider = { api_key: 'sk-upstream', models: ['gpt-4o-mini', 'gpt-4o'] };
  const cache = (scope?: 'key' | 'user') => ({ ttl_s: 600, ...(scope && { scope }) });
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      providers: {
        up: { ...provider, wire: 'openai', base_url: upstream.baseUrl },
        elsewhere: { ...provider, wire: 'openai', base_url: upstream.baseUrl.replace('127.0.0.1', 'localhost') },
        claude: { api_key: 'x', wire: 'anthropic', base_url: upstream.baseUrl, models: ['claude-sonnet-4-5'] },
      },
      routes: {
        kept: { targets: ['up/gpt-4o-mini'], cache: cache() },
        'kept-too': { targets: ['up/gpt-4o-mini'], cache: cache() },
        'kept-elsewhere': { targets: ['elsewhere/gpt-4o-mini'], cache: cache() },
        'kept-larger': { targets: ['up/gpt-4o'], cache: cache() },
        'by-key': { targets: ['up/gpt-4o-mini'], cache: cache('key') },
        'by-user': { targets: ['up/gpt-4o-mini'], cache: cache('user') },
        claude: { targets: ['claude/claude-sonnet-4-5'], cache: cache() },
      },
      logging: { level: 'silent' },
    },
  });
  keys = { one: await server.createKey({ name: 'one' }), two: await server.createKey({ name: 'two' }) };
});
afterAll(async () => {
  await server.stop();
  await upstream.stop();
});
beforeEach(async () => {
  upstream.reset();
  await fetch(`${server.url}/v1/cache/invalidate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: '{"all":true}',
  });
});

interface Asking {
  path?: string;
  key?: string;
  /** In place of the JSON of `body`. */
  text?: string;
  body?: object;
}

/** What the cache did with a call. */
async function asked({
  path = '/v1/chat/completions',
  key = keys.one,
  text,
  body = {},
}: Asking): Promise<string | null> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: text ?? JSON.stringify(body),
  });
  await response.text();
  return response.headers.get('x-sekisho-cache');
}

const messages = (content: string, system = 'You keep the gate.') => [
  { role: 'system', content: system },
  { role: 'user', content },
];
const tool = (name: string) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: {} } },
});
const schema = (name: string) => ({
  type: 'json_schema',
  json_schema: { name: 'x', schema: { type: 'object', properties: { [name]: { type: 'string' } } } },
});
const BASE = {
  model: 'kept',
  messages: messages('Open?'),
  temperature: 0.2,
  seed: 7,
  max_tokens: 100,
  tools: [tool('look')],
  response_format: schema('a'),
};

const OTHERS: [string, object][] = [
  ['route', { model: 'kept-too' }],
  ['host', { model: 'kept-elsewhere' }],
  ['model', { model: 'kept-larger' }],
  ['system prompt', { messages: messages('Open?', 'You keep the bridge.') }],
  ['question', { messages: messages('Open ?') }],
  ['tools', { tools: [tool('listen')] }],
  ['order of tools', { tools: [tool('look'), tool('listen')] }],
  ['tool choice', { tool_choice: 'none' }],
  ['response format', { response_format: schema('b') }],
  ['temperature', { temperature: 0.3 }],
  ['seed', { seed: 8 }],
  ['maximum of the answer', { max_tokens: 101 }],
  ['stop', { stop: ['x'] }],
  ['a field nobody knows', { some_new_field: true }],
];

/** The fields that the recorded plain answer does not fit are left out, so that what comes back is kept. */
const { tools: _, response_format: __, ...PLAIN } = BASE;

describe('K1: calls that differ do not share an answer', () => {
  test.each(OTHERS)('K1: %s', async (_what, more) => {
    expect(await asked({ body: PLAIN })).toBe('miss');
    expect(await asked({ body: PLAIN })).toBe('hit');
    const calls = upstream.requests.length;
    expect(await asked({ body: { ...PLAIN, ...more } })).toBe('miss');
    expect(upstream.requests.length).toBe(calls + 1);
  });

  test.each([
    ['tools', { tools: [tool('listen')] }],
    ['response format', { response_format: schema('b') }],
  ])('K1: %s of two calls that both have them', async (_what, more) => {
    upstream.onModel('gpt-4o-mini', { answer: 'json' });
    expect([await asked({ body: BASE }), await asked({ body: BASE })]).toEqual(['miss', 'hit']);
    expect(await asked({ body: { ...BASE, ...more } })).toBe('miss');
  });

  test('K1: the scope of a route: by key, by end user, and by tenant where nothing is said', async () => {
    const ask = (model: string, key: string, user?: string) =>
      asked({ key, body: { ...PLAIN, model, ...(user !== undefined && { user }) } });
    expect([await ask('kept', keys.one), await ask('kept', keys.two)]).toEqual(['miss', 'hit']);
    expect([await ask('by-key', keys.one), await ask('by-key', keys.two)]).toEqual(['miss', 'miss']);
    expect([await ask('by-key', keys.one), await ask('by-key', keys.two)]).toEqual(['hit', 'hit']);
    expect([await ask('by-user', keys.one, 'ann'), await ask('by-user', keys.one, 'bob')]).toEqual(['miss', 'miss']);
    expect([await ask('by-user', keys.one, 'ann'), await ask('by-user', keys.two, 'ann')]).toEqual(['hit', 'miss']);
  });

  test('K1: a question that is translated and one that passes do not mix', async () => {
    expect(await asked({ body: { ...PLAIN, model: 'claude', seed: undefined } })).toBe('miss');
    const body = {
      model: 'claude',
      max_tokens: 100,
      system: 'You keep the gate.',
      messages: messages('Open?').slice(1),
    };
    expect(await asked({ path: '/v1/messages', body })).toBe('miss');
    expect(await asked({ path: '/v1/messages', body })).toBe('hit');
  });
});

describe('K5: what does not matter does not count', () => {
  test('K5: the order of keys, at any depth, and white space', async () => {
    expect(await asked({ body: { ...PLAIN, metadata: { a: '1', b: '2' } } })).toBe('miss');
    const { model, messages: said, ...rest } = PLAIN;
    const turned = {
      metadata: { b: '2', a: '1' },
      ...rest,
      messages: said.map(({ role, content }) => ({ content, role })),
      model,
    };
    expect(await asked({ text: JSON.stringify(turned, null, 2) })).toBe('hit');
    expect(upstream.requests).toHaveLength(1);
  });

  test('K5: how the answer is delivered', async () => {
    expect(await asked({ body: PLAIN })).toBe('miss');
    expect(await asked({ body: { ...PLAIN, stream: true, stream_options: { include_usage: true } } })).toBe('hit');
  });

  test('K5: a key that is given twice is never answered from what another reading of it got', async () => {
    expect(await asked({ body: PLAIN })).toBe('miss');
    const twice = JSON.stringify(PLAIN).replace('"seed":7', '"seed":8,"seed":7');
    const calls = upstream.requests.length;
    expect(await asked({ text: twice })).not.toBe('hit');
    expect(upstream.requests.length).toBeLessThanOrEqual(calls + 1);
  });
});

describe('K6: two different questions of the same shape never share an answer', () => {
  const pairs: [string, string, string][] = [
    ['number', 'What are 12% of 4,000 yen?', 'What are 13% of 4,000 yen?'],
    ['name', 'When was Ann Lee born?', 'When was Ann Leigh born?'],
    ['date', 'Is the gate open on 2026-01-02?', 'Is the gate open on 2026-02-01?'],
    ['negation', 'Is the gate open?', 'Is the gate not open?'],
    ['Japanese negation', '関所は開いていますか。', '関所は開いていませんか。'],
    ['case', 'Who is US?', 'Who is us?'],
    ['Unicode twins', 'What is ｶﾞ?', 'What is ガ?'],
    ['zero width', 'ab?', 'a\u200bb?'],
    ['lone surrogates', 'x\ud83dx', 'x\udc00x'],
  ];
  test.each(pairs)('K6: another %s', async (_what, first, second) => {
    expect(await asked({ body: { ...PLAIN, messages: messages(first) } })).toBe('miss');
    const calls = upstream.requests.length;
    expect(await asked({ body: { ...PLAIN, messages: messages(second) } })).toBe('miss');
    expect(upstream.requests.length).toBe(calls + 1);
  });
});

describe('K2: what must not be given again is not kept', () => {
  const choice = (message: object, finish: string) =>
    JSON.stringify({
      id: 'c1',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-4o-mini',
      choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: finish }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
  const call = (written: string) => ({
    tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: written } }],
  });
  test.each([
    ['truncated', choice({ content: 'The gate is' }, 'length')],
    ['filtered', choice({ content: 'The' }, 'content_filter')],
    ['invalid tool arguments', choice(call('{"city":'), 'tool_calls')],
    ['tool arguments that are no object', choice(call('"Tokyo"'), 'tool_calls')],
    ['empty', choice({ content: '' }, 'stop')],
  ])('K2: %s', async (_what, body) => {
    upstream.onModel('gpt-4o-mini', { body });
    const question = { ...PLAIN, messages: messages(`K2 ${body.length}`), tools: [tool('look')] };
    expect([await asked({ body: question }), await asked({ body: question })]).toEqual(['miss', 'miss']);
    expect(upstream.requests).toHaveLength(2);
    upstream.onModel('gpt-4o-mini', { body: choice(call('{"city":"Tokyo"}'), 'tool_calls') });
    expect([await asked({ body: question }), await asked({ body: question })]).toEqual(['miss', 'hit']);
  });

  test.each([400, 401, 404, 429, 500, 503])('K2: status %d', async (status) => {
    upstream.script({ fail: { status } }, { fail: { status } });
    for (let each = 0; each < 2; each++) expect(await asked({ body: PLAIN })).not.toBe('hit');
    expect(await asked({ body: PLAIN })).toBe('miss');
    expect(await asked({ body: PLAIN })).toBe('hit');
  });
});
