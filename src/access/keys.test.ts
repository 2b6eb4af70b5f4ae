import { describe, expect, test } from 'bun:test';
import { Secret } from '../lib/secret.ts';
import { migrate } from '../migrate.ts';
import type { Database } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { createKeys } from './keys.ts';
import { accessMigrations } from './schema.ts';

async function setUp() {
  const clock = { now: 1_000_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const sqlite = createSqliteDatabase({ path: ':memory:' });
  await migrate(sqlite, accessMigrations);
  const state = { down: false };
  const database: Database = {
    ...sqlite,
    all: (sql, params) =>
      state.down ? Promise.reject(new SekishoError('storage_unavailable')) : sqlite.all(sql, params),
  };
  const keys = createKeys({ database, clock, adminKey: new Secret('sk-admin') });
  return { clock, sqlite, state, keys, other: createKeys({ database, clock }) };
}

const member = { tenantId: DEFAULT_TENANT, name: 'app', role: 'member' as const };
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error as SekishoError).code,
  );

describe('keys', () => {
  test('a key is known by its secret, and the store holds nothing that leads back to it', async () => {
    const { keys, sqlite } = await setUp();
    const { secret, record } = await keys.create({ ...member, allowedRoutes: ['fast'] });
    expect(await keys.authenticate(secret.reveal())).toMatchObject({ keyId: record.id, allowedRoutes: ['fast'] });
    const stored = JSON.stringify(await sqlite.all('SELECT * FROM api_keys'));
    expect(stored).not.toContain(secret.reveal().slice(15));
    expect(`${secret} ${JSON.stringify({ secret })} ${Bun.inspect({ secret })}`).not.toContain(secret.reveal());
  });

  test("groups and attributes are the principal's, as they were last changed", async () => {
    const { keys, clock } = await setUp();
    const attributes = { region: ['tokyo', '大阪'], 'a=b': ["it's"] };
    const { secret, record } = await keys.create({ ...member, groups: ['sales'], attributes });
    expect(record).toMatchObject({ groups: ['sales'], attributes });
    expect(await keys.authenticate(secret.reveal())).toMatchObject({ groups: ['sales'], attributes });
    await keys.update(DEFAULT_TENANT, record.id, { groups: ['hr'] });
    expect(await keys.authenticate(secret.reveal())).toMatchObject({ groups: ['hr'], attributes });
    await keys.update(DEFAULT_TENANT, record.id, { attributes: {} });
    clock.now += 2_000;
    expect(await keys.authenticate(secret.reveal())).toMatchObject({ groups: ['hr'], attributes: {} });
    const plain = await keys.create(member);
    expect(await keys.authenticate(plain.secret.reveal())).toMatchObject({ groups: [], attributes: {} });
  });

  test('unknown, revoked and expired keys are refused alike', async () => {
    const { keys, clock } = await setUp();
    const { secret, record } = await keys.create({ ...member, expiresMs: clock.now + 10_000 });
    expect(await codeOf(keys.authenticate('sk-sekisho-unknown'))).toBe('invalid_key');
    await keys.authenticate(secret.reveal());
    clock.now += 10_000;
    expect(await codeOf(keys.authenticate(secret.reveal()))).toBe('invalid_key');
    clock.now -= 10_000;
    expect(await keys.revoke('ten_other', record.id)).toBe(false);
    expect(await keys.revoke(DEFAULT_TENANT, record.id)).toBe(true);
    expect(await codeOf(keys.authenticate(secret.reveal()))).toBe('invalid_key');
  });

  test('a key revoked elsewhere is refused within a second', async () => {
    const { keys, other, clock } = await setUp();
    const { secret, record } = await keys.create(member);
    await keys.authenticate(secret.reveal());
    await other.revoke(DEFAULT_TENANT, record.id);
    clock.now += 1_000;
    expect(await codeOf(keys.authenticate(secret.reveal()))).toBe('invalid_key');
  });

  test('with the store down a known key works for the stated grace, an unknown one is a 503 and never a 401', async () => {
    const { keys, state, clock } = await setUp();
    const { secret } = await keys.create(member);
    await keys.authenticate(secret.reveal());
    state.down = true;
    clock.now += 299_000;
    expect(await codeOf(keys.authenticate(secret.reveal()))).toBe('ok');
    expect(await codeOf(keys.authenticate('sk-sekisho-other'))).toBe('storage_unavailable');
    clock.now += 2_000;
    expect(await codeOf(keys.authenticate(secret.reveal()))).toBe('storage_unavailable');
  });

  test('the key of the environment is an administrator', async () => {
    const { keys } = await setUp();
    expect(await keys.authenticate('sk-admin')).toMatchObject({ role: 'admin', tenantId: DEFAULT_TENANT });
  });
});
