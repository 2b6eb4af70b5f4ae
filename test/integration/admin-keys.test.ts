import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { arrayAt, isJsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.upstream.reset());

async function make(body: object, by?: string): Promise<{ id: string; key: string; told: Told }> {
  const told = await stage.ask('POST', '/v1/keys', { name: 'test', ...body }, by);
  return { id: String(told.json['id']), key: String(told.json['key']), told };
}

const code = ({ json }: Told): unknown => isJsonObject(json['error']) && json['error']['code'];

describe('the life of a key over HTTP', () => {
  test('it is made with what was asked for, shown once, and works with the next call', async () => {
    const wanted = {
      name: '検索チーム',
      allowed_routes: ['fast', 'up/*'],
      limits: { requests_per_minute: 50, budget_usd_per_month: 1.5, shadow: true },
      team: 'search',
      tags: ['gold'],
      expires_at: '2999-01-01T00:00:00.000Z',
    };
    const { id, key, told } = await make(wanted);
    expect(told).toMatchObject({ status: 201, json: { ...wanted, role: 'member', revoked_at: null } });
    expect(told.headers.get('cache-control')).toBe('no-store');
    expect((await stage.chat('fast', {}, key)).status).toBe(200);
    for (const path of ['/v1/keys', `/v1/keys/${id}`]) {
      const shown = await stage.ask('GET', path);
      expect(shown.text).toContain(id);
      expect(shown.text).not.toContain(key);
      expect(shown.text).not.toContain('"hash"');
    }
  });

  test('every change holds for the next call', async () => {
    const { id, key } = await make({});
    const change = async (changes: object) => {
      const told = await stage.ask('PATCH', `/v1/keys/${id}`, changes);
      expect(told).toMatchObject({ status: 200, json: { id, ...changes } });
    };
    expect((await stage.chat('fast', {}, key)).status).toBe(200);
    await change({ allowed_routes: ['other'] });
    expect(code(await stage.chat('fast', {}, key))).toBe('route_forbidden');
    await change({ allowed_routes: [] });
    await change({ limits: { requests_per_day: 1 } });
    await stage.chat('fast', {}, key);
    expect(code(await stage.chat('fast', {}, key))).toBe('rate_limited');
    await change({ limits: {} });
    expect((await stage.chat('fast', {}, key)).status).toBe(200);
    expect(code(await stage.ask('GET', '/v1/keys', undefined, key))).toBe('forbidden');
    await change({ role: 'admin', name: 'new name', team: 'ads', tags: ['silver'] });
    expect((await stage.ask('GET', '/v1/keys', undefined, key)).status).toBe(200);
    await change({ role: 'member', team: null });
    expect(code(await stage.ask('GET', '/v1/keys', undefined, key))).toBe('forbidden');
    await change({ expires_at: '2001-01-01T00:00:00.000Z' });
    expect(code(await stage.chat('fast', {}, key))).toBe('invalid_key');
    await change({ expires_at: null });
    expect((await stage.chat('fast', {}, key)).status).toBe(200);
  });

  test('a rotated key has a new secret, the old one ends, and id, limits and spending stay', async () => {
    const { id, key } = await make({ limits: { requests_per_day: 2 } });
    await stage.chat('fast', {}, key);
    const rotated = await stage.ask('POST', `/v1/keys/${id}/rotate`);
    const next = String(rotated.json['key']);
    expect(rotated).toMatchObject({ status: 200, json: { id, limits: { requests_per_day: 2 } } });
    expect(rotated.headers.get('cache-control')).toBe('no-store');
    expect(next).not.toBe(key);
    expect(code(await stage.chat('fast', {}, key))).toBe('invalid_key');
    expect((await stage.chat('fast', {}, next)).status).toBe(200);
    expect(code(await stage.chat('fast', {}, next))).toBe('rate_limited');
  });

  test('a revoked key ends at once, stays in the list, and neither changes nor comes back', async () => {
    const { id, key } = await make({});
    expect(await stage.ask('DELETE', `/v1/keys/${id}`)).toMatchObject({ status: 200, json: { id, revoked: true } });
    expect(code(await stage.chat('fast', {}, key))).toBe('invalid_key');
    const listed = arrayAt((await stage.ask('GET', '/v1/keys')).json, 'data').filter(isJsonObject);
    expect(listed.find((row) => row['id'] === id)?.['revoked_at']).toBeString();
    for (const [method, path, body] of [
      ['DELETE', '', undefined],
      ['PATCH', '', { name: 'alive' }],
      ['POST', '/rotate', undefined],
    ] as const) {
      expect((await stage.ask(method, `/v1/keys/${id}${path}`, body)).status).toBe(404);
    }
  });

  test('all of it survives a restart', async () => {
    const kept = await make({ name: 'kept', allowed_routes: ['fast'], limits: { requests_per_day: 3 } });
    const gone = await make({ name: 'gone' });
    const turned = await make({ name: 'turned' });
    await stage.ask('PATCH', `/v1/keys/${kept.id}`, { name: 'kept well' });
    await stage.ask('DELETE', `/v1/keys/${gone.id}`);
    const next = String((await stage.ask('POST', `/v1/keys/${turned.id}/rotate`)).json['key']);

    await stage.restart();

    expect((await stage.chat('fast', {}, kept.key)).status).toBe(200);
    expect((await stage.ask('GET', `/v1/keys/${kept.id}`)).json).toMatchObject({
      name: 'kept well',
      allowed_routes: ['fast'],
      limits: { requests_per_day: 3 },
    });
    expect(code(await stage.chat('fast', {}, gone.key))).toBe('invalid_key');
    expect(code(await stage.chat('fast', {}, turned.key))).toBe('invalid_key');
    expect((await stage.chat('fast', {}, next)).status).toBe(200);
  });

  test.each([
    {},
    { name: '' },
    { name: 'x'.repeat(101) },
    { name: 'two\nlines' },
    { name: 'a\u001b[2Jb' },
    { name: 'a\u202eb' },
    { name: 'a', team: 'a\u0000b' },
    { name: 'a', role: 'root' },
    { name: 'a', tenant_id: 'ten_other' },
    { name: 'a', id: 'key_mine' },
    { name: 'a', key: 'sk-sekisho-mine' },
    { name: 'a', limits: { requests_per_minute: 0 } },
    { name: 'a', limits: { budget_usd_per_month: -1 } },
    { name: 'a', expires_at: 'tomorrow' },
    { name: 'a', allowed_routes: 'fast' },
  ])('no key is made of %j', async (body) => {
    const before = arrayAt((await stage.ask('GET', '/v1/keys')).json, 'data').length;
    expect(code(await stage.ask('POST', '/v1/keys', body))).toBe('invalid_request');
    expect(arrayAt((await stage.ask('GET', '/v1/keys')).json, 'data').length).toBe(before);
  });
});
