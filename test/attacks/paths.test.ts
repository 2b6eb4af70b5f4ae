/**
 * One address may be written in many ways. Whatever way is chosen, the same is asked of whoever asks: a key, and for
 * what administrators do, an administrator's.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { objectAt } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { rawRequest } from '../support/raw-request.ts';

let stage: AdminStage;
let member: string;
beforeAll(async () => {
  stage = await startAdminStage();
  member = String((await stage.ask('POST', '/v1/keys', { name: 'member' })).json['key']);
});
afterAll(() => stage.stop());

/** Every address of administrators, with a body that would do something. */
const ADMIN: [method: string, path: string, body?: object][] = [
  ['GET', '/v1/keys'],
  ['POST', '/v1/keys', { name: 'mine', role: 'admin' }],
  ['GET', '/v1/keys/key_x'],
  ['PATCH', '/v1/keys/key_x', { role: 'admin' }],
  ['POST', '/v1/keys/key_x/rotate'],
  ['DELETE', '/v1/keys/key_x'],
  ['GET', '/v1/providers'],
  ['PUT', '/v1/providers/up', { wire: 'openai', base_url: 'http://127.0.0.1:1' }],
  ['DELETE', '/v1/providers/up'],
  ['POST', '/v1/providers/up/test'],
  ['GET', '/v1/routes'],
  ['PUT', '/v1/routes/fast', { targets: ['up/theirs'] }],
  ['DELETE', '/v1/routes/fast'],
  ['GET', '/v1/targets'],
  ['GET', '/v1/targets/health'],
  ['PUT', '/v1/targets/up/*', { enabled: false }],
  ['DELETE', '/v1/targets/up/*'],
  ['POST', '/v1/targets/up/gpt-4o-mini/reset'],
  ['GET', '/v1/limits'],
  ['PUT', '/v1/limits/key/member', {}],
  ['DELETE', '/v1/limits/key/member'],
  ['GET', '/v1/prices'],
  ['PUT', '/v1/prices/up/gpt-4o-mini', { input_per_million: 0, output_per_million: 0 }],
  ['DELETE', '/v1/prices/up/gpt-4o-mini'],
  ['GET', '/v1/cache'],
  ['POST', '/v1/cache/invalidate', { all: true }],
];

test.each(ADMIN.map(([method, path, body]) => ({ method, path, body })))(
  'X3: $method $path is closed without a key, to a wrong one, and to a member',
  async ({ method, path, body }) => {
    for (const [key, status] of [
      ['sk-sekisho-wrong', 401],
      ['', 401],
      ['undefined', 401],
      ['null', 401],
      [member, 403],
    ] as const) {
      expect([key, (await stage.ask(method, path, body, key)).status]).toEqual([key, status]);
    }
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    expect((await fetch(`${stage.server.url}${path}`, init)).status).toBe(401);
  },
);

test('X3: whatever the address, under /v1 and /v2 nothing is answered without a key', async () => {
  const description = await stage.ask('GET', '/openapi.json');
  const paths = Object.keys(objectAt(description.json, 'paths') ?? {}).filter((path) => /^\/v\d/.test(path));
  expect(paths.length).toBeGreaterThan(20);
  for (const path of [...paths, '/v1', '/v1/', '/v2/x', '/v1/nothing']) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PURGE']) {
      const response = await fetch(`${stage.server.url}${path.replaceAll(/\{\w+\}/g, 'x')}`, { method });
      expect([method, path, response.status]).toEqual([method, path, 401]);
    }
  }
});

describe('attack 5: other ways to write an address', () => {
  /** Request targets that a router, a proxy or a parser might take for /v1/keys. */
  const targets = [
    '//v1/keys',
    '/v1//keys',
    '/v1/keys/',
    '/v1/keys//',
    '/V1/keys',
    '/v1/Keys',
    '/v1/KEYS',
    '/v1/%6beys',
    '/%76%31/keys',
    '/v1%2fkeys',
    '/v1%2Fkeys',
    '/v1/%2e/keys',
    '/v1/%2e%2e/v1/keys',
    '/health/../v1/keys',
    '/health/%2e%2e/v1/keys',
    '/health/..%2fv1/keys',
    '/console/../v1/keys',
    '/console/assets/..%2f..%2f..%2fv1/keys',
    '/docs/..;/v1/keys',
    '/health;/../v1/keys',
    '/v1/keys;x=1',
    '/v1;x=1/keys',
    '/v1/keys%00',
    '/v1/keys%20',
    '/v1/keys?',
    '/v1/keys?/health',
    '/v1/keys#/health',
    '/v1/keys/.',
    '/v1/./keys',
    '/v1/x/../keys',
    '/\\v1/keys',
    '/v1\\keys',
    '/%5cv1%5ckeys',
    '/v1/keys.json',
    '/v1/keys%252f',
    '/%2576%2531/keys',
    '/metrics/%2e%2e/v1/keys',
    'http://127.0.0.1/v1/keys',
    'http://evil.example/v1/keys',
    'HTTP://EVIL.EXAMPLE:80/v1/keys',
    'http://user:pass@evil.example/v1/keys',
    'https://evil.example//v1/keys',
    'http:///v1/keys',
    'v1/keys',
    '*',
  ];
  /** Headers by which proxies tell of another address, host or origin. */
  const headers = [
    'X-Original-URL: /v1/keys',
    'X-Rewrite-URL: /v1/keys',
    'X-Forwarded-Prefix: /v1',
    'X-Forwarded-Uri: /v1/keys',
    'X-Forwarded-For: 127.0.0.1',
    'X-Real-IP: 127.0.0.1',
    'X-Forwarded-Host: localhost',
    'X-Forwarded-Proto: https',
    'Forwarded: for=127.0.0.1;host=localhost',
    'X-HTTP-Method-Override: GET',
    'X-Remote-User: admin',
    'X-Sekisho-Tenant: ten_default',
    'X-Sekisho-Role: admin',
  ];
  const ask = (target: string, more: readonly string[] = [], host = '127.0.0.1') =>
    rawRequest(
      stage.server.url,
      [`GET ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...more, '', ''].join('\r\n'),
    );
  /** What an administrator alone may see; every key has it. */
  const leaks = (text: string): boolean => text.includes('"hint"') || text.includes('created_at');

  test('the canonical one, as the measure', async () => {
    expect((await ask('/v1/keys')).statuses).toEqual([401]);
    expect((await ask('/v1/keys', [`Authorization: Bearer ${member}`])).statuses).toEqual([403]);
    expect(leaks((await ask('/v1/keys', [`Authorization: Bearer ${stage.server.adminKey}`])).text)).toBe(true);
  });

  test.each(targets)('%s', async (target) => {
    for (const rights of [[], [`Authorization: Bearer ${member}`]]) {
      const { statuses, text } = await ask(target, rights);
      expect(leaks(text)).toBe(false);
      expect(statuses.length).toBeLessThanOrEqual(1);
      // Pages for everybody are not under /v1: whatever is answered well is none of ours to protect.
      if (statuses[0] === 200) expect(text).not.toContain('"data"');
      else if (statuses[0] !== undefined) expect([301, 302, 400, 401, 403, 404, 405]).toContain(statuses[0]);
    }
  });

  test.each(headers)('%s', async (header) => {
    for (const path of ['/health', '/', '/console', '/v1/keys', '/v1/models']) {
      const plain = await ask(path, [`Authorization: Bearer ${member}`]);
      const dressed = await ask(path, [`Authorization: Bearer ${member}`, header]);
      expect(dressed.statuses).toEqual(plain.statuses);
      expect(leaks(dressed.text)).toBe(false);
      expect((await ask(path, [header])).statuses).toEqual((await ask(path)).statuses);
    }
  });

  test('the name of the host plays no part', async () => {
    for (const host of ['localhost', 'evil.example', 'admin.internal', '127.0.0.1:1', '', 'a b', '[::1]', 'a/../b']) {
      const { statuses, text } = await ask('/v1/keys', [], host);
      expect([host, statuses[0]]).toEqual([host, /^[\w.:[\]-]+$/.test(host) ? 401 : 400]);
      expect(text).not.toContain('evil.example');
    }
  });

  test('a host that holds a path is refused, so that what a proxy lets through is what is answered', async () => {
    for (const host of ['x/v1/keys?', 'x/v1/keys#', 'x/v1/keys;', 'x/v1', 'x\\v1', 'x?y', 'x@y', 'x%2fv1']) {
      for (const more of [
        [],
        [`Authorization: Bearer ${member}`],
        [`Authorization: Bearer ${stage.server.adminKey}`],
      ]) {
        const { statuses, text } = await ask('/health', more, host);
        expect([host, statuses]).toEqual([host, [400]]);
        expect(leaks(text)).toBe(false);
      }
    }
  });

  test('a key comes in one of two headers and nowhere else', async () => {
    const key = stage.server.adminKey;
    for (const [target, more] of [
      [`/v1/keys?key=${key}&api_key=${key}&access_token=${key}`, []],
      ['/v1/keys', [`Cookie: key=${key}; authorization=Bearer ${key}`]],
      ['/v1/keys', [`Authorization: Basic ${Buffer.from(`${key}:${key}`).toString('base64')}`]],
      ['/v1/keys', [`Authorization: ${key}`]],
      ['/v1/keys', [`Authorization: Bearer ${member}`, `Authorization: Bearer ${key}`]],
      ['/v1/keys', [`Authorization: Bearer ${member} ${key}`]],
      ['/v1/keys', [`Proxy-Authorization: Bearer ${key}`]],
      ['/v1/keys', ['Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.']],
    ] as const) {
      const { statuses, text } = await ask(target, more);
      expect([more, statuses[0] === 401 || statuses[0] === 403]).toEqual([more, true]);
      expect(text).not.toContain(key);
    }
  });
});
