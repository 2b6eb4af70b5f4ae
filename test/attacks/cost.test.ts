/** Calls that would be dear, or that never end, are refused before an upstream hears of them, or are broken off. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, objectAt } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';
import { eventually } from '../support/eventually.ts';

let stage: AdminStage;
/** Of a key with a dollar a month; the model costs a dollar per million tokens. */
let poor: string;
beforeAll(async () => {
  stage = await startAdminStage({ cache: { memory_mb: 1 } });
  const make = async (limits: object) =>
    String((await stage.ask('POST', '/v1/keys', { name: 'k', limits })).json['key']);
  poor = await make({ budget_usd_per_month: 1 });
  await stage.ask('PUT', '/v1/routes/cached', { targets: ['up/gpt-4o-mini'], cache: { ttl_s: 3_600 } });
  await stage.ask('PUT', '/v1/prices/up/vectors', { input_per_million: 1, output_per_million: 0 });
});
afterAll(() => stage.stop());
beforeEach(() => stage.upstream.reset());

const code = ({ json }: Told): unknown => objectAt(json, 'error')?.['code'];
const MESSAGES = [{ role: 'user', content: 'hi' }];
const MILLION_TOKENS = 'the gate '.repeat(500_000);
const CHAT = '/v1/chat/completions';

/** Calls that may cost more than a dollar. */
const DEAR: [what: string, path: string, body: object][] = [
  ['max_tokens', CHAT, { messages: MESSAGES, max_tokens: 2_000_000 }],
  ['max_completion_tokens', CHAT, { messages: MESSAGES, max_completion_tokens: 2_000_000 }],
  ['a small maximum beside a large one', CHAT, { messages: MESSAGES, max_completion_tokens: 1, max_tokens: 2_000_000 }],
  ['a maximum as text', CHAT, { messages: MESSAGES, max_tokens: '2000000' }],
  ['a maximum beyond all numbers', CHAT, { messages: MESSAGES, max_tokens: 1e308 }],
  ['n', CHAT, { messages: MESSAGES, max_tokens: 100_000, n: 16 }],
  ['best_of', '/v1/completions', { prompt: 'hi', max_tokens: 100_000, best_of: 16 }],
  ['many prompts', '/v1/completions', { prompt: Array.from({ length: 100 }, () => 'hi'), max_tokens: 20_000 }],
  ['max_tokens of messages', '/v1/messages', { messages: MESSAGES, max_tokens: 2_000_000 }],
  ['max_output_tokens of responses', '/v1/responses', { input: 'hi', max_output_tokens: 2_000_000 }],
  ['max_tokens of generate', '/v1/generate', { prompt: 'hi', max_tokens: 2_000_000 }],
  ['a prompt of a million tokens', CHAT, { messages: [{ role: 'user', content: MILLION_TOKENS }] }],
  [
    'a system prompt of a million tokens',
    '/v1/messages',
    { system: MILLION_TOKENS, messages: MESSAGES, max_tokens: 9 },
  ],
  [
    'tools of a million tokens',
    CHAT,
    { messages: MESSAGES, tools: [{ type: 'function', function: { name: 'f', description: MILLION_TOKENS } }] },
  ],
  ['a million tokens to summarise', '/v1/summarize', { text: MILLION_TOKENS.slice(0, 4_000_000) }],
];

describe('attack 18: what may cost more than there is, is refused before it is asked', () => {
  test.each(DEAR)('%s', async (_, path, body) => {
    for (const stream of path === '/v1/summarize' ? [undefined] : [undefined, true]) {
      const call = { model: 'fast', ...body, ...(stream && { stream }) };
      expect(code(await stage.ask('POST', path, call, poor))).toBe('budget_exhausted');
    }
    expect(stage.upstream.requests).toHaveLength(0);
    // Nothing is left taken of the budget.
    expect((await stage.chat('fast', { max_tokens: 10 }, poor)).status).toBe(200);
  });

  test('a rate of tokens lets one call pass that is larger than all of it, and no second', async () => {
    const limits = { tokens_per_day: 100_000 };
    const key = String((await stage.ask('POST', '/v1/keys', { name: 'slow', limits })).json['key']);
    stage.upstream.onModel('gpt-4o-mini', { stall: { at: 'before-headers' } });
    const calls = Array.from({ length: 10 }, () => stage.chat('fast', { max_tokens: 2_000_000 }, key));
    let refused = 0;
    for (const call of calls) void call.then((told) => (refused += code(told) === 'rate_limited' ? 1 : 0));
    await eventually('nine are refused', () => refused === 9);
    stage.upstream.release();
    await Promise.all(calls);
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test('a million tokens of embeddings', async () => {
    const input = Array.from({ length: 2_000 }, (_, at) => `${at} ${MILLION_TOKENS.slice(0, 4_000)}`);
    for (const path of ['/v1/embeddings', '/v1/embed']) {
      expect(code(await stage.ask('POST', path, { model: 'up/vectors', input }, poor))).toBe('budget_exhausted');
    }
    expect(stage.upstream.requests).toHaveLength(0);
  });
});

describe('attack 18: what nobody needs is refused to everybody', () => {
  test.each<[string, object]>([
    [CHAT, { messages: MESSAGES, n: 1_000 }],
    [CHAT, { messages: MESSAGES, n: 1e9 }],
    [CHAT, { messages: MESSAGES, n: '16' }],
    [CHAT, { messages: MESSAGES, n: 1.5 }],
    [CHAT, { messages: MESSAGES, n: -1 }],
    ['/v1/completions', { prompt: 'hi', n: 1_000 }],
    ['/v1/completions', { prompt: 'hi', best_of: 1_000 }],
    ['/v1/completions', { prompt: Array.from({ length: 10_000 }, () => 'hi') }],
    ['/v1/embeddings', { input: Array.from({ length: 10_000 }, (_, at) => `text ${at}`) }],
    ['/v1/embed', { input: Array.from({ length: 10_000 }, (_, at) => `text ${at}`) }],
    ['/v1/embed', { texts: Array.from({ length: 10_000 }, (_, at) => `text ${at}`) }],
    ['/v1/rerank', { query: 'q', documents: Array.from({ length: 10_001 }, () => 'd') }],
    ['/v1/generate', { prompt: 'hi', max_tokens: 1e9 }],
    [CHAT, { messages: Array.from({ length: 10_001 }, () => MESSAGES[0]) }],
    ['/v1/query', { query: 'q', collection_name: 'c', top_k: 1_000_000 }],
  ])('%s %#', async (path, body) => {
    const told = await stage.ask('POST', path, { model: 'fast', ...body });
    expect(told.status).toBe(400);
    expect(stage.upstream.requests).toHaveLength(0);
  });
});

describe('attack 18: what goes past the cache or fills it', () => {
  test('every call past the cache is paid; none is free because it asks for more', async () => {
    const paid = String(
      (await stage.ask('POST', '/v1/keys', { name: 'p', limits: { requests_per_day: 3 } })).json['key'],
    );
    const call = (headers: Record<string, string>) =>
      fetch(`${stage.server.url}${CHAT}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${paid}`, ...headers },
        body: JSON.stringify({ model: 'cached', messages: MESSAGES }),
      });
    const statuses: number[] = [];
    for (const wish of ['bypass', 'refresh', 'use', 'bypass', 'use']) {
      statuses.push((await call({ 'x-sekisho-cache': wish })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  test('prompts of which no two are alike do not grow the cache beyond its bound', async () => {
    const chunk = 'x'.repeat(8_000);
    stage.upstream.onModel('gpt-4o-mini', {
      body: JSON.stringify({
        id: 'x',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content: chunk }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    });
    for (let at = 0; at < 300; at++) {
      const told = await stage.chat('cached', { messages: [{ role: 'user', content: `question ${at}` }] });
      expect(told.headers.get('x-sekisho-cache')).toBe('miss');
    }
    const { json } = await stage.ask('GET', '/v1/cache');
    const memory = objectAt(objectAt(json, 'answers') ?? {}, 'memory') ?? {};
    expect(Number(memory['entries'])).toBeGreaterThan(10);
    expect(Number(memory['entries'])).toBeLessThan(300);
    expect(Number(memory['bytes'])).toBeLessThanOrEqual(1024 * 1024);
  });
});

describe('attack 18: streams without an end', () => {
  /** An upstream that speaks without end until nobody listens. */
  let sent = 0;
  let left = 0;
  const endless = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => {
      const text = `data: ${JSON.stringify({
        id: 'x',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'm',
        choices: [{ index: 0, delta: { content: 'on and on '.repeat(6_000) }, finish_reason: null }],
      })}\n\n`;
      const event = new TextEncoder().encode(text);
      return new Response(
        new ReadableStream({
          pull: (controller) => {
            sent += event.length;
            controller.enqueue(event);
          },
          cancel: () => {
            left++;
          },
        }),
        { headers: { 'content-type': 'text/event-stream' } },
      );
    },
  });
  afterAll(() => endless.stop(true));

  test.each([CHAT, '/v1/messages'])('%s: broken off at its bound, told as an error, settled', async (path) => {
    await stage.ask('PUT', '/v1/providers/endless', {
      wire: 'openai',
      base_url: `http://127.0.0.1:${endless.port}/v1`,
      models: ['m'],
      prices: { m: { input_per_million: 1, output_per_million: 1 } },
    });
    sent = 0;
    left = 0;
    const response = await fetch(`${stage.server.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.server.adminKey}` },
      body: JSON.stringify({ model: 'endless/m', messages: MESSAGES, max_tokens: 9, stream: true }),
    });
    let bytes = 0;
    let tail = '';
    for await (const piece of response.body ?? []) {
      bytes += piece.length;
      tail = (tail + new TextDecoder().decode(piece)).slice(-2_000);
    }
    expect(bytes).toBeGreaterThan(50 * 1024 * 1024);
    expect(bytes).toBeLessThan(80 * 1024 * 1024);
    expect(tail).toContain('upstream_broken');
    expect(tail).not.toContain('[DONE]');
    await eventually('the upstream is left alone', () => left === 1);
    const usage = await stage.ask('GET', '/v1/usage?by=route');
    expect(isJsonObject(usage.json) && usage.text).toContain('endless/m');
  });
});
