/**
 * Two parsers that disagree on where a request ends, and browsers that call with the rights of whoever looks at a page.
 * There is no cookie anywhere, so there is no request that a browser could forge with one; there is no token with
 * claims in it either, so that nothing is taken from what a token says of itself (`alg`, `kid`, `jku`).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { rawRequest } from '../support/raw-request.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const BODY = JSON.stringify({ model: 'fast', messages: [{ role: 'user', content: 'hi' }] });
const SMUGGLED = 'GET /v1/keys HTTP/1.1\r\nHost: x\r\nX-Smuggled: ';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const head = (lines: readonly string[], lineEnd = '\r\n'): string =>
  [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${stage.server.adminKey}`,
    ...lines,
    '',
    '',
  ].join(lineEnd);

describe('attack 20: a request has one end', () => {
  const twofold: [what: string, lines: string[], body: string][] = [
    [
      'a length and chunks',
      [`Content-Length: ${BODY.length}`, 'Transfer-Encoding: chunked'],
      `${chunk(BODY)}0\r\n\r\n${SMUGGLED}`,
    ],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4'], `${chunk(BODY)}0\r\n\r\n${SMUGGLED}`],
    ['two lengths', ['Content-Length: 5', `Content-Length: ${BODY.length}`], `${BODY}${SMUGGLED}`],
    ['a list of lengths', [`Content-Length: ${BODY.length}, 5`], `${BODY}${SMUGGLED}`],
    ['a length with a sign', [`Content-Length: +${BODY.length}`], `${BODY}${SMUGGLED}`],
    ['a negative length', ['Content-Length: -1'], `${BODY}${SMUGGLED}`],
    ['a length in hex', [`Content-Length: 0x${BODY.length.toString(16)}`], `${BODY}${SMUGGLED}`],
    ['a length beyond all', ['Content-Length: 99999999999999999999999'], `${BODY}${SMUGGLED}`],
    [
      'an encoding that is none',
      ['Transfer-Encoding: xchunked', `Content-Length: ${BODY.length}`],
      `${BODY}${SMUGGLED}`,
    ],
    [
      'two encodings',
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      `${chunk(BODY)}0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a blank before the colon',
      ['Transfer-Encoding : chunked', `Content-Length: ${BODY.length}`],
      `${BODY}${SMUGGLED}`,
    ],
    ['a folded header', ['Transfer-Encoding:', ' chunked', `Content-Length: ${BODY.length}`], `${BODY}${SMUGGLED}`],
    ['a chunk of no size', ['Transfer-Encoding: chunked'], `zz\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a negative chunk', ['Transfer-Encoding: chunked'], `-1\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk beyond all', ['Transfer-Encoding: chunked'], `ffffffffffffffff\r\n${BODY}`],
    ['a chunk that ends late', ['Transfer-Encoding: chunked'], `2\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
  ];

  test.each(twofold)('%s: what follows is not answered as a request of its own with rights', async (_, lines, body) => {
    const { statuses, text } = await rawRequest(stage.server.url, head(lines) + body);
    expect(text).not.toContain('"hint"');
    expect(statuses.length).toBeLessThanOrEqual(2);
    // Either it is one request that is taken as a whole, or it is refused; what hangs on is incomplete and stays so.
    for (const status of statuses) expect([200, 400, 401, 411, 413, 501]).toContain(status);
    for (const { body: sent } of stage.upstream.requests) expect(sent).not.toContain('X-Smuggled');
  });

  test.each([
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], `${chunk(BODY)}0\r\n\r\n`],
    ['two lengths', ['Content-Length: 5', `Content-Length: ${BODY.length}`], BODY],
    ['an encoding that is none', ['Transfer-Encoding: xchunked', `Content-Length: ${BODY.length}`], BODY],
  ])('%s together are refused, not guessed', async (_, lines, body) => {
    const { statuses } = await rawRequest(stage.server.url, head(lines) + body);
    expect(statuses).toEqual([400]);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('a line that ends with LF alone, or in a lone CR, begins no other request', async () => {
    for (const bytes of [
      head([`Content-Length: ${BODY.length}`], '\n') + BODY,
      head([`Content-Length: ${BODY.length}`, 'X: a\nContent-Length: 0']) + BODY + SMUGGLED,
      head([`Content-Length: ${BODY.length}`, 'X: a\rContent-Length: 0']) + BODY + SMUGGLED,
      head([`X: a\u0000b`, `Content-Length: ${BODY.length}`]) + BODY,
      `${head([`Content-Length: ${BODY.length}`]).replace('HTTP/1.1', 'HTTP/1.1\nX: y')}${BODY}`,
    ]) {
      const { statuses, text } = await rawRequest(stage.server.url, bytes);
      expect(statuses.length).toBeLessThanOrEqual(1);
      expect(text).not.toContain('"hint"');
    }
  });

  test('two requests on one connection are two, each with its own rights', async () => {
    const first = head([`Content-Length: ${BODY.length}`]) + BODY;
    const second = 'GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n';
    const { statuses, text } = await rawRequest(stage.server.url, first + second, 500);
    // A second request that does not wait for the first answer may end the connection, but takes no rights from it.
    expect(text).not.toContain('"hint"');
    expect(statuses.slice(1)).toEqual(statuses.length > 1 ? [401] : []);
  });

  test('headers beyond all use are refused', async () => {
    for (const lines of [
      [`X-Long: ${'x'.repeat(200_000)}`],
      Array.from({ length: 5_000 }, (_, at) => `X-${at}: ${'y'.repeat(20)}`),
    ]) {
      const { statuses } = await rawRequest(
        stage.server.url,
        head([...lines, `Content-Length: ${BODY.length}`]) + BODY,
      );
      expect([400, 413, 431]).toContain(statuses[0] ?? 431);
      expect(stage.upstream.requests).toHaveLength(0);
    }
    const { statuses } = await rawRequest(stage.server.url, `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect([400, 404, 414, 431]).toContain(statuses[0] ?? 414);
  });
});

describe('attack 20: pages of others', () => {
  const ORIGINS = ['https://evil.example', 'null', 'http://localhost', 'http://127.0.0.1'];

  test('no page of another origin may read an answer, with or without credentials', async () => {
    for (const path of ['/v1/models', '/v1/keys', '/health', '/metrics', '/openapi.json', '/v1/nothing']) {
      for (const origin of [...ORIGINS, stage.server.url]) {
        const { headers } = await fetch(`${stage.server.url}${path}`, {
          headers: { origin, authorization: `Bearer ${stage.server.adminKey}` },
        });
        expect(headers.get('access-control-allow-origin')).toBeNull();
        expect(headers.get('access-control-allow-credentials')).toBeNull();
        expect(headers.getSetCookie()).toEqual([]);
      }
    }
  });

  test('the question of a browser beforehand is not answered with a yes', async () => {
    for (const origin of ORIGINS) {
      const response = await fetch(`${stage.server.url}/v1/keys`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
      expect(response.status).toBe(401);
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test('what a form of another page can send has no rights', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const response = await fetch(`${stage.server.url}/v1/keys`, {
        method: 'POST',
        headers: { 'content-type': type, origin: 'https://evil.example', cookie: `key=${stage.server.adminKey}` },
        body: '{"name":"mine","role":"admin"}',
      });
      expect(response.status).toBe(401);
    }
  });

  test.each([
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9.',
    'eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.eyJyb2xlIjoiYWRtaW4ifQ.x',
    'eyJhbGciOiJSUzI1NiIsImprdSI6Imh0dHA6Ly8xMjcuMC4wLjEvIn0.eyJyb2xlIjoiYWRtaW4ifQ.x',
  ])('a token that says who it is, is no key: %s', async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${stage.server.url}/v1/keys`, { headers })).status).toBe(401);
  });

  test('answers of models are never pages', async () => {
    const answer = { role: 'assistant', content: '<script>alert(1)</script>' };
    const body = {
      id: 'x',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: answer, finish_reason: 'stop' }],
    };
    stage.upstream.onModel('gpt-4o-mini', { body: JSON.stringify(body), contentType: 'text/html' });
    const response = await stage.post('/v1/chat/completions', JSON.parse(BODY) as object, {
      headers: { accept: 'text/html' },
    });
    expect(response.headers.get('content-type')).not.toContain('html');
    await response.text();
    const streamed = await stage.post('/v1/chat/completions', { ...(JSON.parse(BODY) as object), stream: true });
    expect(streamed.headers.get('content-type') ?? '').not.toContain('html');
    await streamed.text();
  });
});
