import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
let asked = 0;

beforeAll(async () => {
  upstream = await startFakeProvider();
  const key = { api_key: 'sk-upstream-credential-4711' };
  const prices = { 'gpt-4o-mini': { input_per_million: 150, output_per_million: 600 } };
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      providers: {
        up: { ...key, wire: 'openai', base_url: upstream.baseUrl, models: ['gpt-4o-mini', 'embed'], prices },
        claude: { ...key, wire: 'anthropic', base_url: upstream.baseUrl, models: ['claude-sonnet-4-5'] },
      },
      routes: {
        kept: { targets: ['up/gpt-4o-mini'], cache: { ttl_s: 600 } },
        'kept-claude': { targets: ['claude/claude-sonnet-4-5'], cache: { ttl_s: 600 } },
        plain: ['up/gpt-4o-mini'],
        embed: ['up/embed'],
      },
      batching: { wait_ms: 50 },
      logging: { level: 'silent' },
    },
  });
  ledger = openLedger(server.dataFolder);
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

interface Asking {
  model?: string;
  question?: string;
  stream?: boolean;
  path?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  more?: object;
}

function ask({ model = 'kept', question = `${asked++}`, path = '/v1/chat/completions', ...how }: Asking) {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json', ...how.headers },
    body: JSON.stringify({
      model,
      max_tokens: 100,
      messages: [{ role: 'user', content: question }],
      ...(how.stream === true && { stream: true }),
      ...how.more,
    }),
    ...(how.signal && { signal: how.signal }),
  });
}

/** What the cache did, and the whole body. */
async function outcome(asking: Asking) {
  const response = await ask(asking);
  return { cache: response.headers.get('x-sekisho-cache'), response, text: await response.text() };
}

/** The text of a stream of OpenAI chunks. */
function streamedText(body: string): string {
  return body
    .split('\n\n')
    .flatMap((event) => (event.startsWith('data: {') ? [JSON.parse(event.slice(6))] : []))
    .map((chunk) => chunk.choices[0]?.delta?.content ?? '')
    .join('');
}

async function invalidate(selection: object): Promise<number> {
  const response = await fetch(`${server.url}/v1/cache/invalidate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(selection),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { removed: number }).removed;
}

describe('cache over HTTP', () => {
  test('the same question again: byte for byte, at no cost, without the upstream', async () => {
    const question = 'same';
    const first = await outcome({ question });
    const second = await outcome({ question });
    expect([first.cache, second.cache]).toEqual(['miss', 'hit']);
    expect(second.text).toBe(first.text);
    expect(upstream.requests).toHaveLength(1);
    const row = await ledger.settled(second.response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', cost_micros: 0, input_tokens: 0, output_tokens: 0 });
    const paid = await ledger.settled(first.response.headers.get('x-sekisho-request-id'));
    expect(paid.cost_micros).toBeGreaterThan(0);
  });

  test('without a policy nothing is kept unless the caller asks for it', async () => {
    const asking = { model: 'plain', question: 'unasked' };
    expect([(await outcome(asking)).cache, (await outcome(asking)).cache]).toEqual(['miss', 'miss']);
    const wish = { ...asking, headers: { 'x-sekisho-cache': 'use' } };
    expect([(await outcome(wish)).cache, (await outcome(wish)).cache]).toEqual(['miss', 'hit']);
  });

  test('past the cache, and filled anew', async () => {
    const question = 'wishes';
    await outcome({ question });
    expect((await outcome({ question, headers: { 'x-sekisho-cache': 'bypass' } })).cache).toBe('miss');
    expect((await outcome({ question, headers: { 'x-sekisho-cache': 'refresh' } })).cache).toBe('miss');
    expect((await outcome({ question })).cache).toBe('hit');
    expect(upstream.requests).toHaveLength(3);
  });

  test('K2: a failure is not kept, nor a stream that broke', async () => {
    upstream.script({ fail: { status: 500 } });
    expect((await outcome({ question: 'fails' })).response.status).toBe(502);
    expect((await outcome({ question: 'fails' })).cache).toBe('miss');
    expect((await outcome({ question: 'fails' })).cache).toBe('hit');
    upstream.script({ break: { at: { events: 3 }, how: 'cut' } });
    await (await ask({ question: 'breaks', stream: true })).text();
    expect((await outcome({ question: 'breaks' })).cache).toBe('miss');
  });

  test('K4: kept whole, given as a stream with its end and its usage', async () => {
    const question = 'whole, then streamed';
    const whole = JSON.parse((await outcome({ question })).text);
    const streamed = await outcome({ question, stream: true, more: { stream_options: { include_usage: true } } });
    expect(streamed.cache).toBe('hit');
    expect(streamed.response.headers.get('content-type')).toContain('text/event-stream');
    expect(streamedText(streamed.text)).toBe(whole.choices[0].message.content);
    expect(streamed.text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(streamed.text).toContain('"usage":{');
    expect((await outcome({ question, stream: true })).text).not.toContain('"usage":{');
    expect(upstream.requests).toHaveLength(1);
  });

  test.each(['kept', 'kept-claude'])('K4: kept from a stream of %s, given whole and streamed', async (model) => {
    const question = 'streamed, then whole';
    const streamed = await outcome({ model, question, stream: true });
    const whole = await outcome({ model, question });
    const again = await outcome({ model, question, stream: true });
    expect([streamed.cache, whole.cache, again.cache]).toEqual(['miss', 'hit', 'hit']);
    const text = streamedText(streamed.text);
    expect(text).not.toBe('');
    expect(JSON.parse(whole.text).choices[0].message.content).toBe(text);
    expect(streamedText(again.text)).toBe(text);
    expect(upstream.requests).toHaveLength(1);
  });

  test('the same question in two dialects is one question where it is translated', async () => {
    // For an OpenAI target, a call in the dialect of Anthropic and a translated one have nothing else in them.
    const question = 'dialects';
    const asking = { model: 'kept', path: '/v1/messages', question };
    expect((await outcome(asking)).cache).toBe('miss');
    const again = await outcome(asking);
    expect(again.cache).toBe('hit');
    expect(JSON.parse(again.text)).toMatchObject({ type: 'message', role: 'assistant' });
    const streamed = await outcome({ ...asking, stream: true });
    expect(streamed.cache).toBe('hit');
    expect(streamed.text).toContain('event: message_stop');
  });

  test('identical calls in flight become one; each is answered and settled', async () => {
    const question = 'together';
    upstream.script({ stall: { at: 'before-headers' } });
    const first = outcome({ question });
    await upstream.stalled();
    const others = [outcome({ question }), outcome({ question, stream: true }), outcome({ question })];
    // Whoever is not joined would be answered now, because only the first stands still.
    await outcome({ question: 'meanwhile' });
    expect(upstream.requests).toHaveLength(2);
    upstream.release();
    const answers = await Promise.all([first, ...others]);
    expect(answers.map(({ cache }) => cache)).toEqual(['miss', 'hit', 'hit', 'hit']);
    expect(upstream.requests).toHaveLength(2);
    for (const { response } of answers) {
      const row = await ledger.settled(response.headers.get('x-sekisho-request-id'));
      expect(row.outcome).toBe('ok');
    }
  });

  test('when the first caller leaves, one of those who wait asks in its place', async () => {
    const question = 'leaves';
    upstream.script({ stall: { at: 'before-headers' } });
    const leaving = new AbortController();
    const gone = ask({ question, signal: leaving.signal }).catch(() => 'left');
    await upstream.stalled();
    const others = [outcome({ question }), outcome({ question })];
    await outcome({ question: 'they wait by now' });
    leaving.abort();
    const answers = await Promise.all(others);
    expect(await gone).toBe('left');
    expect(answers.map(({ response }) => response.status)).toEqual([200, 200]);
    expect(new Set(answers.map(({ cache }) => cache))).toEqual(new Set(['hit', 'miss']));
    expect(upstream.requests).toHaveLength(3);
  });

  test('K7: a tag forgets exactly its answers, a route all of its own', async () => {
    const tagged = (question: string, tags: string) => ({ question, headers: { 'x-sekisho-tags': tags } });
    const [a, b] = [tagged('a', 'document:1,document:2'), tagged('b', 'document:2')];
    for (const asking of [a, b]) await outcome(asking);
    expect(await invalidate({ document: '1' })).toBe(1);
    expect([(await outcome(a)).cache, (await outcome(b)).cache]).toEqual(['miss', 'hit']);
    await outcome({ model: 'kept-claude', question: 'other route' });
    expect(await invalidate({ route: 'kept' })).toBeGreaterThan(1);
    expect((await outcome(b)).cache).toBe('miss');
    expect((await outcome({ model: 'kept-claude', question: 'other route' })).cache).toBe('hit');
  });

  test('statistics', async () => {
    const stats = async () => {
      const response = await fetch(`${server.url}/v1/cache`, {
        headers: { authorization: `Bearer ${server.adminKey}` },
      });
      return (await response.json()) as { answers: { hits: number; misses: number; memory: { entries: number } } };
    };
    const before = await stats();
    for (let time = 0; time < 3; time++) await outcome({ question: 'counted' });
    const { answers } = await stats();
    expect(answers.hits - before.answers.hits).toBe(2);
    expect(answers.misses - before.answers.misses).toBe(1);
    expect(answers.memory.entries).toBeGreaterThan(0);
  });
});

describe('embeddings over HTTP', () => {
  const embed = async (input: string | string[], more: object = {}) => {
    const response = await fetch(`${server.url}/v1/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'embed', input, ...more }),
    });
    const json = (await response.json()) as { data: { embedding: number[] }[]; usage: { total_tokens: number } };
    return { status: response.status, vectors: json.data?.map(({ embedding }) => embedding), tokens: json.usage };
  };

  test('only what is missing goes upstream and is billed; the vectors stay the same', async () => {
    const first = await embed(['gate', 'barrier']);
    const second = await embed(['barrier', 'checkpoint', 'gate']);
    expect(upstream.requests.map(({ json }) => json['input'])).toEqual([['gate', 'barrier'], ['checkpoint']]);
    expect(second.vectors?.[0]).toEqual(first.vectors?.[1] as number[]);
    expect(second.vectors?.[2]).toEqual(first.vectors?.[0] as number[]);
    expect(second.tokens.total_tokens).toBe(3);
    const third = await embed(['gate', 'checkpoint']);
    expect(upstream.requests).toHaveLength(2);
    expect(third.tokens.total_tokens).toBe(0);
  });

  test('concurrent small calls become few; each gets its own vectors and its own share', async () => {
    upstream.script({ stall: { at: 'before-headers' } });
    const first = embed('the first one goes alone');
    await upstream.stalled();
    const texts = Array.from({ length: 12 }, (_, at) => `one of many, number ${at}`);
    const others = texts.map((text) => embed(text));
    const answers = await Promise.all(others);
    upstream.release();
    await first;
    expect(upstream.requests.length).toBeLessThanOrEqual(4);
    expect(new Set(answers.map(({ vectors }) => JSON.stringify(vectors))).size).toBe(texts.length);
    const again = await embed(texts);
    expect(again.vectors).toEqual(answers.map(({ vectors }) => vectors?.[0] as number[]));
    expect(answers.every(({ tokens }) => tokens.total_tokens > 0)).toBe(true);
  });
});
