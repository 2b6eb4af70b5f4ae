import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { readStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const REPLAY = 'x-sekisho-idempotent-replay';
let keys = 0;
const freshKey = (): string => `test-${++keys}`;
const chat = (content = 'Is the gate open?', more: object = {}) => ({
  model: 'fast',
  messages: [{ role: 'user', content }],
  ...more,
});
const send = (key: string, body: object = chat(), path = '/v1/chat/completions', init: RequestInit = {}) =>
  fetch(`${stage.server.url}${path}`, {
    method: 'POST',
    ...init,
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${stage.server.adminKey}`,
      'idempotency-key': key,
      ...(init.headers as Record<string, string> | undefined),
    },
    body: JSON.stringify(body),
  });
const codeOf = async (response: Response): Promise<unknown> => {
  const body = parseJson(await response.text());
  return isJsonObject(body) && isJsonObject(body['error']) ? body['error']['code'] : undefined;
};
const ledgerRows = (requestId: string | null) =>
  stage.ledger.rows().filter((row) => row.request_id === requestId).length;

describe('F14: the first answer is given again', () => {
  test.each([
    ['/v1/chat/completions', chat()],
    ['/v1/messages', { ...chat(), model: 'sonnet', max_tokens: 20 }],
    ['/v1/embeddings', { model: 'embed', input: 'gate' }],
  ])('%s: status, body and headers; called and billed once', async (path, body) => {
    const key = freshKey();
    const first = await send(key, body, path);
    const second = await send(key, body, path);
    expect(first.status).toBe(200);
    expect(first.headers.get(REPLAY)).toBeNull();
    expect(second.status).toBe(200);
    expect(second.headers.get(REPLAY)).toBe('true');
    for (const name of ['content-type', 'x-sekisho-request-id', 'x-sekisho-target', 'x-sekisho-cost-usd']) {
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await second.text()).toBe(await first.text());
    expect(stage.upstream.requests).toHaveLength(1);
    expect(ledgerRows(first.headers.get('x-sekisho-request-id'))).toBe(1);
  });

  test.each([
    ['/v1/chat/completions', chat('And now?', { stream: true })],
    ['/v1/messages', { ...chat('And now?', { stream: true }), model: 'sonnet', max_tokens: 20 }],
    ['/v1/chat/completions', { ...chat('And now?', { stream: true }), model: 'sonnet' }],
  ])('a stream on %s: the same bytes', async (path, body) => {
    const key = freshKey();
    const first = await readStream(await send(key, body, path));
    const second = await readStream(await send(key, body, path));
    expect(first.data.length).toBeGreaterThan(3);
    expect(second.text).toBe(first.text);
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(second.headers.get(REPLAY)).toBe('true');
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test("a caller's mistake as well", async () => {
    const key = freshKey();
    stage.upstream.script({ fail: { status: 400 } });
    const first = await send(key);
    const second = await send(key);
    expect([first.status, second.status]).toEqual([400, 400]);
    expect(second.headers.get(REPLAY)).toBe('true');
    expect(await second.text()).toBe(await first.text());
  });

  test('without the header, nothing is given again', async () => {
    for (let at = 0; at < 2; at++) {
      const response = await stage.post('/v1/chat/completions', chat());
      expect(response.headers.get(REPLAY)).toBeNull();
      await response.text();
    }
    expect(stage.upstream.requests).toHaveLength(2);
  });
});

describe('F14: a key stands for one request', () => {
  test('another body, another model and another address are refused with 422', async () => {
    const key = freshKey();
    await (await send(key)).text();
    const others: [object, string][] = [
      [chat('Something else?'), '/v1/chat/completions'],
      [{ ...chat(), model: 'sonnet' }, '/v1/chat/completions'],
      [chat(), '/v1/messages'],
    ];
    for (const [body, path] of others) {
      const refused = await send(key, body, path);
      expect(refused.status).toBe(422);
      if (path !== '/v1/messages') expect(await codeOf(refused)).toBe('idempotency_mismatch');
    }
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test('keys of another API key are other keys', async () => {
    const key = freshKey();
    const other = await stage.server.createKey({ name: 'other' });
    const first = await send(key);
    const second = await send(key, chat('Mine.'), '/v1/chat/completions', {
      headers: { authorization: `Bearer ${other}` },
    });
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.headers.get(REPLAY)).toBeNull();
  });

  test.each(['', 'a b', 'あ'.normalize(), 'x'.repeat(256)])('a key like %j is refused with 400', async (key) => {
    const bytes = Buffer.from(key).toString('latin1');
    const response = await send(bytes);
    expect(response.status).toBe(400);
    expect(stage.upstream.requests).toHaveLength(0);
  });
});

describe('F14: at the same time', () => {
  test('fifty at once: one call; the others are told to come again, and then get its answer', async () => {
    const key = freshKey();
    stage.upstream.script({ stall: { at: 'before-headers' } });
    const all = Array.from({ length: 50 }, () => send(key));
    let refused = 0;
    for (const each of all) void each.then((response) => (refused += response.status === 409 ? 1 : 0));
    await eventually('49 are refused', () => refused === 49);
    const waiting = await send(key);
    expect(Number(waiting.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(waiting.headers.get('x-should-retry')).toBe('true');
    expect(await codeOf(waiting)).toBe('idempotency_in_progress');
    stage.upstream.release();
    const first = (await Promise.all(all)).find(({ status }) => status === 200);
    const again = await send(key);
    expect(await again.text()).toBe((await first?.text()) ?? 'nobody passed');
    expect(again.headers.get(REPLAY)).toBe('true');
    expect(stage.upstream.requests).toHaveLength(1);
    expect(ledgerRows(again.headers.get('x-sekisho-request-id'))).toBe(1);
  });

  test('a stream that is still open', async () => {
    const key = freshKey();
    stage.upstream.script({ stall: { at: { events: 3 } } });
    const first = await send(key, chat('Hm?', { stream: true }));
    await stage.upstream.stalled();
    expect((await send(key, chat('Hm?', { stream: true }))).status).toBe(409);
    stage.upstream.release();
    const seen = await readStream(first);
    const again = await readStream(await send(key, chat('Hm?', { stream: true })));
    expect(again.text).toBe(seen.text);
  });
});

describe('F14: what may be tried again', () => {
  test.each([500, 503, 429])('an upstream that answers %d', async (status) => {
    const key = freshKey();
    stage.upstream.script(...Array.from({ length: 2 }, () => ({ fail: { status } })));
    const first = await send(key);
    expect(first.status).toBeGreaterThanOrEqual(429);
    const second = await send(key);
    expect(second.status).toBe(200);
    expect(second.headers.get(REPLAY)).toBeNull();
  });

  test('a stream that broke', async () => {
    const key = freshKey();
    stage.upstream.script({ break: { at: { events: 3 }, how: 'cut' } });
    const broken = await readStream(await send(key, chat('Hm?', { stream: true })));
    expect(broken.data).not.toContain('[DONE]');
    const again = await readStream(await send(key, chat('Hm?', { stream: true })));
    expect(again.headers.get(REPLAY)).toBeNull();
    expect(again.data).toContain('[DONE]');
  });

  test.each([false, true])('a caller who left (stream: %p)', async (stream) => {
    const key = freshKey();
    const leaving = new AbortController();
    stage.upstream.script({ stall: { at: stream ? { events: 3 } : 'before-headers' } });
    const left = send(key, chat('Hm?', { stream }), '/v1/chat/completions', { signal: leaving.signal });
    await stage.upstream.stalled();
    if (stream) await left;
    leaving.abort();
    await left.then((response) => response.text()).catch(() => undefined);
    const again = await eventually('the key is free', async () => {
      const response = await send(key, chat('Hm?', { stream }));
      if (response.status === 200) return response;
      await response.text();
      return false;
    });
    expect(again.headers.get(REPLAY)).toBeNull();
    expect((await again.text()).length).toBeGreaterThan(10);
  });
});

test('an answer larger than a megabyte is given once; the key then says why it is not given again', async () => {
  const key = freshKey();
  const content = 'x'.repeat(1_100_000);
  stage.upstream.script({
    body: JSON.stringify({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-4o-mini',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }),
  });
  const first = await send(key);
  expect((await first.text()).length).toBeGreaterThan(1_100_000);
  const again = await send(key);
  expect(again.status).toBe(409);
  expect(again.headers.get('x-should-retry')).toBe('false');
  expect(await codeOf(again)).toBe('idempotency_not_kept');
});
