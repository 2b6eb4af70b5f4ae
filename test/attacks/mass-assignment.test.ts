import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
});
afterAll(() => stage.stop());

const END = '2999-01-01T00:00:00.000Z';
/** An administrator who is bound in every way in which a key can be bound. */
const BOUND = {
  name: 'bound',
  role: 'admin',
  allowed_routes: ['fast', 'team-*'],
  limits: { requests_per_minute: 1_000, tokens_per_day: 100_000, concurrency: 5, budget_usd_per_month: 10 },
  team: 'search',
  expires_at: END,
};
/** The most that this one may give. */
const WITHIN = { ...BOUND, name: 'within', role: 'member' };

const errorOf = ({ json }: Told): JsonObject => (isJsonObject(json['error']) ? json['error'] : {});
async function make(body: object, by?: string) {
  const told = await stage.ask('POST', '/v1/keys', body, by);
  return { told, id: String(told.json['id']), key: String(told.json['key']) };
}

/** Each of them alone is more than `BOUND` has. */
const WIDER: [what: string, body: object][] = [
  ['every route', { allowed_routes: [] }],
  ['another route', { allowed_routes: ['fast', 'other'] }],
  ['a wider pattern', { allowed_routes: ['team*'] }],
  ['the pattern of everything', { allowed_routes: ['*'] }],
  ['no limits', { limits: {} }],
  ['one limit less', { limits: { requests_per_minute: 1_000, tokens_per_day: 100_000, concurrency: 5 } }],
  ['a larger budget', { limits: { ...BOUND.limits, budget_usd_per_month: 10.01 } }],
  ['a faster rate', { limits: { ...BOUND.limits, requests_per_minute: 1_001 } }],
  ['limits that only watch', { limits: { ...BOUND.limits, shadow: true } }],
  ['another team', { team: 'ads' }],
  ['a later end', { expires_at: '2999-01-01T00:00:01.000Z' }],
];

describe('attack 6: nobody gives away more than he has', () => {
  test('as much as one has may be given, in creation and change', async () => {
    const { key } = await make(BOUND);
    const given = await make(WITHIN, key);
    expect(given.told.status).toBe(201);
    const narrower = { allowed_routes: ['team-a'], limits: { ...BOUND.limits, concurrency: 1 } };
    expect((await stage.ask('PATCH', `/v1/keys/${given.id}`, narrower, key)).status).toBe(200);
    expect((await make({ ...WITHIN, role: 'admin' }, key)).told.status).toBe(201);
  });

  test.each(WIDER)('%s: neither a new key nor a change of one has it, not even of the own key', async (_, wider) => {
    const own = await make(BOUND);
    const given = await make(WITHIN, own.key);
    for (const told of [
      (await make({ ...WITHIN, ...wider }, own.key)).told,
      await stage.ask('PATCH', `/v1/keys/${given.id}`, wider, own.key),
      await stage.ask('PATCH', `/v1/keys/${own.id}`, wider, own.key),
    ]) {
      expect([told.status, errorOf(told)['code']]).toEqual([403, 'forbidden']);
    }
    expect((await stage.ask('GET', `/v1/keys/${own.id}`)).json).toMatchObject(BOUND);
    expect((await stage.ask('GET', `/v1/keys/${given.id}`)).json).toMatchObject(WITHIN);
  });

  test.each([
    ['no team', { team: null }],
    ['no end', { expires_at: null }],
  ])('%s', async (_, wider) => {
    const own = await make(BOUND);
    for (const id of [own.id, (await make(WITHIN, own.key)).id]) {
      expect((await stage.ask('PATCH', `/v1/keys/${id}`, wider, own.key)).status).toBe(403);
    }
    const { team: _team, ...teamless } = WITHIN;
    const { expires_at: _end, ...endless } = WITHIN;
    for (const body of [teamless, endless]) expect((await make(body, own.key)).told.status).toBe(403);
  });

  test('a key that has more is neither rotated, changed nor revoked by one that has less', async () => {
    const own = await make(BOUND);
    for (const [, wider] of WIDER) {
      const other = await make({ ...WITHIN, ...wider });
      expect(other.told.status).toBe(201);
      for (const [method, path, body] of [
        ['POST', '/rotate', undefined],
        ['PATCH', '', { name: 'taken' }],
        ['PATCH', '', WITHIN],
        ['DELETE', '', undefined],
      ] as const) {
        const told = await stage.ask(method, `/v1/keys/${other.id}${path}`, body, own.key);
        expect([method, path, wider, told.status]).toEqual([method, path, wider, 403]);
        expect(told.json['key']).toBeUndefined();
      }
      // It still works, unchanged.
      expect((await stage.ask('GET', `/v1/keys/${other.id}`)).json).toMatchObject({ ...wider, revoked_at: null });
    }
  });

  test('a member makes, sees, changes and ends no key, not even his own', async () => {
    const { id, key } = await make({ name: 'member' });
    for (const [method, path, body] of [
      ['POST', '/v1/keys', { name: 'x' }],
      ['GET', '/v1/keys', undefined],
      ['GET', `/v1/keys/${id}`, undefined],
      ['PATCH', `/v1/keys/${id}`, { role: 'admin' }],
      ['POST', `/v1/keys/${id}/rotate`, undefined],
      ['DELETE', `/v1/keys/${id}`, undefined],
    ] as const) {
      const told = await stage.ask(method, path, body, key);
      expect([method, path, errorOf(told)['code']]).toEqual([method, path, 'forbidden']);
    }
  });

  test('what a key is not asked for is refused, not passed over: no tenant, id, hash or time of birth', async () => {
    const { id } = await make({ name: 'fixed' });
    for (const field of ['tenant_id', 'tenantId', 'id', 'hash', 'hint', 'key', 'created_at', 'revoked_at', 'scopes']) {
      for (const told of [
        (await make({ name: 'x', [field]: 'theirs' })).told,
        await stage.ask('PATCH', `/v1/keys/${id}`, { [field]: null }),
      ]) {
        expect([field, told.status]).toEqual([field, 400]);
      }
    }
    for (const text of ['{"name":"x","__proto__":{"role":"admin"}}', '{"name":"x","constructor":{"role":"admin"}}']) {
      const response = await fetch(`${stage.server.url}/v1/keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stage.server.adminKey}` },
        body: text,
      });
      const told: unknown = await response.json();
      expect(response.status === 400 || (isJsonObject(told) && told['role'] === 'member')).toBe(true);
    }
  });

  test('settings of everybody are for an administrator who is bound to no routes', async () => {
    const { key } = await make({ name: 'bound', role: 'admin', allowed_routes: ['*'] });
    for (const kind of ['providers', 'routes', 'targets', 'limits', 'prices']) {
      expect((await stage.ask('GET', `/v1/${kind}`, undefined, key)).status).toBe(403);
      for (const method of ['PUT', 'DELETE']) {
        expect(
          (await stage.ask(method, `/v1/${kind}/up/x`.replace('providers/up/x', 'providers/up'), {}, key)).status,
        ).toBe(403);
      }
    }
    expect((await stage.ask('GET', '/v1/targets/health', undefined, key)).status).toBe(403);
    expect((await stage.ask('POST', '/v1/targets/up/x/reset', undefined, key)).status).toBe(403);
  });
});
