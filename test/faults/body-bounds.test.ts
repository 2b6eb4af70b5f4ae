import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { isJsonObject } from '../../src/lib/json.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const MESSAGE = '{"role":"user","content":"hi"}';
const LIMIT = 32 * 1024 * 1024;

/** Addresses and what an error looks like there. */
const PATHS = [
  ['/v1/chat/completions', 'openai'],
  ['/v1/messages', 'anthropic'],
  ['/v1/responses', 'openai'],
  ['/v1/completions', 'openai'],
  ['/v1/messages/count_tokens', 'anthropic'],
  ['/v1/embeddings', 'openai'],
  ['/v2/rerank', 'openai'],
  ['/v1/generate', 'openai'],
] as const;

function send(
  path: string,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${stage.server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${stage.server.adminKey}`, ...headers },
    body,
  });
}

/** A body of unknown length, piece by piece, without keeping it in memory. */
function pieces(bytes: number): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(1024 * 1024).fill(0x20);
  let left = bytes;
  return new ReadableStream({
    pull: (controller) => {
      if (left <= 0) return controller.close();
      controller.enqueue(piece);
      left -= piece.length;
    },
  });
}

async function expectError(response: Response, status: number, dialect: 'openai' | 'anthropic'): Promise<void> {
  expect(response.status).toBe(status);
  const body: unknown = await response.json();
  if (!isJsonObject(body) || !isJsonObject(body['error'])) throw new Error('not an error');
  expect(String(body['error']['message']).length).toBeGreaterThan(10);
  expect(body['type']).toBe(dialect === 'anthropic' ? 'error' : undefined);
  expect(stage.upstream.requests).toHaveLength(0);
}

describe.each(PATHS)('%s', (path, dialect) => {
  test('a body beyond the limit is refused in the dialect, stated or in chunks', async () => {
    await expectError(await send(path, ' '.repeat(LIMIT + 1)), 413, dialect);
    await expectError(await send(path, pieces(LIMIT + 2 * 1024 * 1024)), 413, dialect);
  });

  test('a compressed body is refused and never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(8 * 1024 * 1024, 0x20));
    await expectError(await send(path, new Uint8Array(bomb), { 'content-encoding': 'gzip' }), 415, dialect);
  });

  test.each([
    ['200 lists deep', `{"model":"fast","messages":[${MESSAGE}],"a":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['200 objects deep', `{"model":"fast","messages":[${MESSAGE}],"a":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`],
    ['a million keys', `{"model":"fast",${Array.from({ length: 1_000_000 }, (_, at) => `"k${at}":0`).join(',')}}`],
    ['a million objects', `{"model":"fast","messages":[${'{},'.repeat(1_000_000)}{}]}`],
    ['ten million numbers', `{"model":"fast","input":[${'1,'.repeat(10_000_000)}1]}`],
  ])('%s', async (_, body) => {
    await expectError(await send(path, body), 400, dialect);
  });
});

describe('harmless', () => {
  test('a body in chunks below the limit is taken, and its caller may leave', async () => {
    const body = JSON.stringify({ model: 'fast', messages: [{ role: 'user', content: 'hi' }] });
    const response = await send('/v1/chat/completions', new Blob([body]).stream());
    expect(response.status).toBe(200);
    expect(stage.upstream.requests[0]?.json['messages']).toEqual([{ role: 'user', content: 'hi' }]);

    stage.upstream.script({ stall: { at: 'before-headers' } });
    const leaving = new AbortController();
    const call = fetch(`${stage.server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.server.adminKey}` },
      body: new Blob([body]).stream(),
      signal: leaving.signal,
    }).catch(() => undefined);
    await stage.upstream.stalled();
    leaving.abort();
    await call;
    await (
      await stage.upstream.request(1)
    ).aborted;
  });

  test.each([
    ['numbers beyond all numbers', '"temperature":1e400'],
    ['a lone surrogate', '"user":"\\ud800"'],
    ['a key twice', '"stream":true,"stream":false'],
    ['a prototype', '"__proto__":{"stream":true},"constructor":{"prototype":{"x":1}}'],
    ['64 levels', `"metadata":${'['.repeat(64)}${']'.repeat(64)}`],
  ])('%s', async (_, field) => {
    for (const route of ['fast', 'sonnet']) {
      const response = await send('/v1/chat/completions', `{"model":"${route}",${field},"messages":[${MESSAGE}]}`);
      expect([200, 400]).toContain(response.status);
      const body: unknown = await response.json();
      expect(isJsonObject(body) && (response.status === 200 ? 'choices' in body : 'error' in body)).toBe(true);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('a model name with half a character in it is an error of the caller', async () => {
    const response = await send('/v1/chat/completions', `{"model":"\\ud800","messages":[${MESSAGE}]}`);
    expect(response.status).toBe(404);
  });
});
