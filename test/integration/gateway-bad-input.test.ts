import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject } from '../../src/lib/json.ts';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const PATHS = ['/v1/chat/completions', '/v1/messages', '/v1/embeddings'] as const;
const send = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(`${stage.server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${stage.server.adminKey}`, ...headers },
    body,
  });

const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const message = '{"role":"user","content":"hi"}';
const BAD: [string, string][] = [
  ['nothing', ''],
  ['not JSON', '{"model":"fast",'],
  ['an array', '[]'],
  ['a string', '"fast"'],
  ['null', 'null'],
  ['no model', `{"messages":[${message}]}`],
  ['a model that is a number', `{"model":7,"messages":[${message}]}`],
  ['messages that are a string', '{"model":"fast","messages":"hi"}'],
  ['a message that is a number', '{"model":"fast","messages":[7],"input":{}}'],
  ['JSON 100,000 levels deep', `{"model":"fast","messages":${nested},"input":${nested}}`],
  [
    'a model name of 100,000 characters',
    `{"model":"${'x'.repeat(100_000)}","messages":[${message}],"input":"x","max_tokens":1}`,
  ],
];

describe.each(PATHS)('%s', (path) => {
  test.each(BAD)('%s is a 4xx with a message, and nothing goes upstream', async (_, body) => {
    const response = await send(path, body);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    const parsed: unknown = JSON.parse(await response.text());
    const error = isJsonObject(parsed) && isJsonObject(parsed['error']) ? parsed['error'] : {};
    expect(String(error['message']).length).toBeGreaterThan(10);
    expect(String(error['message']).length).toBeLessThan(2_000);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('a body that is not UTF-8 is a 4xx or passes, but does no harm', async () => {
    const response = await send(path, new Uint8Array([0x7b, 0xff, 0xfe, 0x00, 0x7d]));
    expect(response.status).toBe(400);
  });
});

test('a body beyond the limit is a 413, with and without content-length', async () => {
  const body = `{"model":"fast","messages":[{"role":"user","content":"${'x'.repeat(33_600_000)}"}]}`;
  expect((await send('/v1/chat/completions', body)).status).toBe(413);
  const chunked = await fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
    body: new Blob([body]).stream(),
  });
  expect(chunked.status).toBe(413);
  expect(stage.upstream.requests).toHaveLength(0);
});

test('strange but valid text passes unharmed', async () => {
  const content = 'NUL \u0000, lone \ud800 surrogate, \u202e right to left, 👩‍👩‍👧 family';
  const raw = `{"model":"fast","__proto__":{"admin":true},"n1":1e400,"messages":[{"role":"user","content":${JSON.stringify(content)}}]}`;
  const response = await send('/v1/chat/completions', raw);
  expect(response.status).toBe(200);
  expect(stage.upstream.requests[0]?.body).toBe(raw.replace('"fast"', '"gpt-4o-mini"'));
});

test('of duplicate model fields the caller cannot make one judge and another one call', async () => {
  const key = await stage.server.createKey({ name: 'narrow', allowedRoutes: ['fast'] });
  const response = await send('/v1/chat/completions', `{"model":"embed","messages":[${message}],"model":"fast"}`, {
    authorization: `Bearer ${key}`,
  });
  if (response.status === 200) {
    expect(stage.upstream.requests[0]?.body).not.toContain('"embed"');
    expect(stage.upstream.requests[0]?.json['model']).toBe('gpt-4o-mini');
  } else expect(response.status).toBe(400);
});

test('model names inside the messages are left alone', async () => {
  const raw = `{"messages":[{"role":"user","content":"say \\"model\\":\\"fast\\""},{"role":"user","content":"x","model":"fast"}],"model":"fast"}`;
  await send('/v1/chat/completions', raw);
  expect(stage.upstream.requests[0]?.body).toBe(raw.replace(/"model":"fast"}$/, '"model":"gpt-4o-mini"}'));
});

test('an address that does not exist is a 404, a wrong method a 405', async () => {
  const headers = { authorization: `Bearer ${stage.server.adminKey}` };
  expect((await fetch(`${stage.server.url}/v1/nothing-here`, { headers })).status).toBe(404);
  expect((await fetch(`${stage.server.url}/v1/chat/completions`, { headers })).status).toBe(405);
});

test('X1: neither the credential nor a caller key comes back, in bodies or headers', async () => {
  const secret = JSON.stringify({ error: { message: `Bad key ${CREDENTIAL}`, type: 'x' } });
  for (const status of [400, 401, 404, 429, 500]) {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status, body: secret } });
    const response = await send('/v1/chat/completions', `{"model":"fast","messages":[${message}]}`);
    const everything = JSON.stringify([...response.headers]) + (await response.text());
    expect(everything).not.toContain(CREDENTIAL);
    expect(everything).not.toContain(stage.server.adminKey);
  }
  const metrics = await fetch(`${stage.server.url}/metrics`, {
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
  });
  expect(await metrics.text()).not.toContain(CREDENTIAL);
});
