import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt } from '../../src/lib/json.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { FILE_CREDENTIAL, rowOf, startAdminStage, type AdminStage } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
});
afterAll(() => stage.stop());
beforeEach(() => {
  stage.upstream.reset();
  stage.other.reset();
});

const SECRET = 'sk-added-over-the-api-1234';
const PRICE = { input_per_million: 100, output_per_million: 100 };

describe('a change over HTTP is in force with the next call', () => {
  test('a provider is added, called with its credential, and taken back', async () => {
    expect((await stage.chat('mine/m1')).status).toBe(404);
    const put = await stage.ask('PUT', '/v1/providers/mine', {
      wire: 'openai',
      base_url: stage.other.baseUrl,
      api_key: SECRET,
      headers: { 'x-team': 'hidden-header-value' },
      models: ['m1'],
    });
    expect(put.status).toBe(200);
    expect(put.json).toMatchObject({
      name: 'mine',
      source: 'api',
      has_credential: true,
      updated_by: 'key_environment',
    });

    expect((await stage.chat('mine/m1')).status).toBe(200);
    expect(stage.other.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'x-team': 'hidden-header-value',
    });

    expect((await stage.ask('DELETE', '/v1/providers/mine')).status).toBe(200);
    expect((await stage.chat('mine/m1')).status).toBe(404);
    expect((await stage.ask('DELETE', '/v1/providers/mine')).status).toBe(404);
  });

  test('a provider over the API comes before the same name in the file, which holds again afterwards', async () => {
    await stage.ask('PUT', '/v1/providers/up', {
      wire: 'openai',
      base_url: stage.other.baseUrl,
      models: ['gpt-4o-mini'],
    });
    expect((await stage.chat('fast')).status).toBe(200);
    expect(stage.upstream.requests).toHaveLength(0);
    // The credential of the file belongs to the address of the file.
    expect(stage.other.requests[0]?.headers['authorization'] ?? '').not.toContain(FILE_CREDENTIAL);
    expect(rowOf(await stage.ask('GET', '/v1/providers'), 'up')).toMatchObject({
      source: 'api',
      has_credential: false,
    });

    await stage.ask('DELETE', '/v1/providers/up');
    await stage.chat('fast');
    expect(stage.upstream.requests[0]?.headers['authorization']).toBe(`Bearer ${FILE_CREDENTIAL}`);
    expect(rowOf(await stage.ask('GET', '/v1/providers'), 'up')).toMatchObject({ source: 'file' });
  });

  test('the test of a connection says what the provider has, or why it does not answer', async () => {
    const good = await stage.ask('POST', '/v1/providers/up/test');
    expect(good.json['ok']).toBe(true);
    expect(arrayAt(good.json, 'models').length).toBeGreaterThan(0);
    await stage.ask('PUT', '/v1/providers/gone', {
      wire: 'openai',
      base_url: 'http://127.0.0.1:1/v1',
      api_key: SECRET,
    });
    const bad = await stage.ask('POST', '/v1/providers/gone/test');
    expect(bad).toMatchObject({
      status: 200,
      json: { ok: false, models: [], error: { code: 'upstream_unreachable' } },
    });
    expect(bad.text).not.toContain(SECRET);
    expect((await stage.ask('POST', '/v1/providers/nobody/test')).status).toBe(404);
    await stage.ask('DELETE', '/v1/providers/gone');
  });

  test('a route is added, changed, listed as a model, and taken back', async () => {
    expect((await stage.chat('swift')).status).toBe(404);
    const put = await stage.ask('PUT', '/v1/routes/swift', { targets: ['up/gpt-4o-mini'], description: 'quick' });
    expect(put).toMatchObject({ status: 200, json: { name: 'swift', source: 'api', value: { description: 'quick' } } });
    expect((await stage.chat('swift')).headers.get('x-sekisho-target')).toBe('up/gpt-4o-mini');
    expect((await stage.ask('GET', '/v1/models')).text).toContain('"swift"');

    await stage.ask('PUT', '/v1/routes/swift', { targets: ['up/other-model'] });
    await stage.chat('swift');
    expect(stage.upstream.requests.at(-1)?.json['model']).toBe('other-model');
    expect(rowOf(await stage.ask('GET', '/v1/routes'), 'fast')).toMatchObject({ source: 'file' });

    await stage.ask('DELETE', '/v1/routes/swift');
    expect((await stage.chat('swift')).status).toBe(404);
  });

  test('a route of the file is covered by one of the API and comes back', async () => {
    await stage.ask('PUT', '/v1/routes/fast', { targets: ['up/covered'] });
    await stage.chat('fast');
    expect(stage.upstream.requests.at(-1)?.json['model']).toBe('covered');
    await stage.ask('DELETE', '/v1/routes/fast');
    await stage.chat('fast');
    expect(stage.upstream.requests.at(-1)?.json['model']).toBe('gpt-4o-mini');
  });

  test('a target is switched off and on again, alone and with all of its provider', async () => {
    for (const target of ['up/gpt-4o-mini', 'up/*']) {
      expect((await stage.ask('PUT', `/v1/targets/${target}`, { enabled: false })).status).toBe(200);
      expect((await stage.chat('fast')).status).toBe(503);
      expect((await stage.ask('DELETE', `/v1/targets/${target}`)).status).toBe(200);
      expect((await stage.chat('fast')).status).toBe(200);
    }
    expect(stage.upstream.requests).toHaveLength(2);
  });

  test('limits of each scope refuse the next call and let go again', async () => {
    const made = await stage.ask('POST', '/v1/keys', { name: 'limited', team: 'search' });
    const key = String(made.json['key']);
    const subjects = [
      `tenant/${DEFAULT_TENANT}`,
      'team/search',
      // By its name: limits by id are the key's own.
      'key/limited',
      'user/traveller',
      'user/*',
      'route/fast',
      'target/up/gpt-4o-mini',
    ];
    for (const subject of subjects) {
      const call = () => stage.chat('fast', { user: subject.startsWith('user/') ? 'traveller' : subject }, key);
      expect((await stage.ask('PUT', `/v1/limits/${subject}`, { requests_per_day: 1 })).status).toBe(200);
      await call();
      const refused = await call();
      expect([subject, refused.status]).toEqual([subject, 429]);
      expect((await stage.ask('DELETE', `/v1/limits/${subject}`)).status).toBe(200);
      expect([subject, (await call()).status]).toEqual([subject, 200]);
    }
  });

  test('a price holds for the next call', async () => {
    const before = Number((await stage.chat('fast')).headers.get('x-sekisho-cost-usd'));
    expect((await stage.ask('PUT', '/v1/prices/up/gpt-4o-mini', PRICE)).status).toBe(200);
    const after = Number((await stage.chat('fast')).headers.get('x-sekisho-cost-usd'));
    expect(after).toBeCloseTo(before * 100, 6);
    await stage.ask('DELETE', '/v1/prices/up/gpt-4o-mini');
    expect(Number((await stage.chat('fast')).headers.get('x-sekisho-cost-usd'))).toBe(before);
  });

  test('an open breaker is shown with its reason, and closes when it is reset', async () => {
    stage.upstream.onModel('brittle', { fail: { status: 500 } });
    await stage.chat('up/brittle');
    await stage.chat('up/brittle');
    const ill = rowOf(await stage.ask('GET', '/v1/targets/health'), 'up/brittle');
    expect(ill).toMatchObject({ state: 'open', in_flight: 0, failure_share: 1, last_error: 'upstream_failed' });
    stage.upstream.reset();
    expect((await stage.chat('up/brittle')).status).toBe(503);
    expect(stage.upstream.requests).toHaveLength(0);
    expect((await stage.ask('POST', '/v1/targets/up/brittle/reset')).status).toBe(200);
    expect((await stage.chat('up/brittle')).status).toBe(200);
    expect((await stage.ask('POST', '/v1/targets/up/never-called/reset')).status).toBe(404);
  });

  test('answers in the cache are counted and forgotten, by route and all', async () => {
    await stage.ask('PUT', '/v1/routes/kept', { targets: ['up/gpt-4o-mini'], cache: { ttl_s: 600 } });
    const cached = async () => (await stage.chat('kept')).headers.get('x-sekisho-cache');
    expect(await cached()).toBe('miss');
    expect(await cached()).toBe('hit');
    expect((await stage.ask('GET', '/v1/cache')).json['answers']).toMatchObject({ hits: 1 });
    for (const selection of [{ route: 'kept' }, { all: true }, { pattern: 'kept/*' }]) {
      const forgotten = await stage.ask('POST', '/v1/cache/invalidate', selection);
      expect(forgotten).toMatchObject({ status: 200, json: { removed: 1 } });
      expect(await cached()).toBe('miss');
    }
    expect((await stage.ask('POST', '/v1/cache/invalidate', { route: 'kept', all: true })).status).toBe(400);
    expect((await stage.ask('POST', '/v1/cache/invalidate', {})).status).toBe(400);
    await stage.ask('DELETE', '/v1/routes/kept');
  });
});

test('everything that was set survives a restart, and secrets are in no answer and in no file in plain', async () => {
  await stage.ask('PUT', '/v1/providers/lasting', {
    wire: 'openai',
    base_url: stage.other.baseUrl,
    api_key: SECRET,
    headers: { 'x-team': 'hidden-header-value' },
    models: ['m1'],
  });
  await stage.ask('PUT', '/v1/routes/lasting', { targets: ['lasting/m1'] });
  await stage.ask('PUT', '/v1/prices/lasting/m1', PRICE);
  await stage.ask('PUT', '/v1/targets/up/*', { enabled: false });
  await stage.ask('PUT', '/v1/limits/route/lasting', { requests_per_day: 1 });

  await stage.restart();

  expect((await stage.chat('fast')).status).toBe(503);
  const answer = await stage.chat('lasting');
  expect(answer.status).toBe(200);
  expect(Number(answer.headers.get('x-sekisho-cost-usd'))).toBeGreaterThan(0.001);
  expect(stage.other.requests[0]?.headers['authorization']).toBe(`Bearer ${SECRET}`);
  expect((await stage.chat('lasting')).status).toBe(429);

  for (const path of [
    'providers',
    'routes',
    'targets',
    'targets/health',
    'limits',
    'prices',
    'cache',
    'keys',
    'models',
  ]) {
    const { status, text } = await stage.ask('GET', `/v1/${path}`);
    expect(status).toBe(200);
    for (const secret of [SECRET, 'hidden-header-value', FILE_CREDENTIAL]) expect(text).not.toContain(secret);
  }
  for (const file of ['sekisho.db', 'sekisho.db-wal']) {
    const bytes = readFileSync(join(stage.server.dataFolder, file)).toString('latin1');
    for (const secret of [SECRET, 'hidden-header-value']) expect(bytes).not.toContain(secret);
  }
  for (const path of [
    'routes/lasting',
    'providers/lasting',
    'prices/lasting/m1',
    'targets/up/*',
    'limits/route/lasting',
  ]) {
    expect((await stage.ask('DELETE', `/v1/${path}`)).status).toBe(200);
  }
  expect((await stage.chat('fast')).status).toBe(200);
});

describe('what is not a setting is refused with its reason and changes nothing', () => {
  test.each([
    ['/v1/providers/p', { wire: 'carrier-pigeon' }],
    ['/v1/providers/p', { wire: 'openai', base_urll: 'https://api.openai.com/v1' }],
    ['/v1/providers/p', { wire: 'bedrock' }],
    ['/v1/providers/p', { wire: 'kserve' }],
    ['/v1/providers/p', { wire: 'static' }],
    ['/v1/providers/a%20b', { wire: 'openai' }],
    ['/v1/providers/%E9%96%A2%E6%89%80', { wire: 'openai' }],
    ['/v1/providers/extractive', { wire: 'openai', api_key: 'x' }],
    ['/v1/providers/static', { wire: 'openai', api_key: 'x' }],
    ['/v1/providers/rag', { wire: 'openai', api_key: 'x' }],
    ['/v1/routes/r', {}],
    ['/v1/routes/r', { targets: [] }],
    ['/v1/routes/r', { targets: ['no-slash'] }],
    ['/v1/routes/r', { targets: ['up/m'], groups: [{ targets: ['up/m'] }] }],
    ['/v1/routes/rag/handbook', { targets: ['up/m'] }],
    ['/v1/targets/no-slash', { enabled: false }],
    ['/v1/targets/up/m', { enabled: 'no' }],
    ['/v1/limits/nobody/x', { requests_per_minute: 1 }],
    ['/v1/limits/team', { requests_per_minute: 1 }],
    ['/v1/limits/team/x', { requests_per_minute: -1 }],
    ['/v1/limits/team/x', { requests_per_fortnight: 1 }],
    ['/v1/prices/no-slash', PRICE],
    ['/v1/prices/up/m', { input_per_million: -1, output_per_million: 1 }],
  ])('PUT %s %j', async (path, body) => {
    const told = await stage.ask('PUT', path, body);
    expect(told).toMatchObject({ status: 400, json: { error: { code: 'invalid_request' } } });
    const [, , kind, ...name] = path.split('/');
    expect(rowOf(await stage.ask('GET', `/v1/${kind}`), name.join('/'))).toBeUndefined();
  });
});
