import { Database as Sqlite } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeys } from '../../src/access/keys.ts';
import { accessMigrations } from '../../src/access/schema.ts';
import { createManagedSettings, governanceMigrations } from '../../src/governance/managed-settings.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { migrate } from '../../src/migrate.ts';
import type { Database } from '../../src/ports/database.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import { eventually } from '../support/eventually.ts';
import { createManualTime } from '../support/manual-time.ts';

/**
 * Two processes on one database. A data folder has one owner, so two of whatever follows the database stand for them,
 * each on a connection of its own to the same file.
 */
const folder = mkdtempSync(join(tmpdir(), 'sekisho-replicas-'));
const path = join(folder, 'sekisho.db');
let one: Database;
let other: Database;

beforeAll(async () => {
  one = createSqliteDatabase({ path });
  other = createSqliteDatabase({ path });
  await migrate(one, [...accessMigrations, ...governanceMigrations]);
});
afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** What the composition root polls at. */
const POLL_MS = 1_000;
const BY = 'key_test';

function settingsOn(database: Database, pollMs = POLL_MS) {
  const stale: unknown[] = [];
  const settings = createManagedSettings({
    database,
    clock: systemClock,
    pollMs,
    onStale: (error) => stale.push(error),
  });
  return Object.assign(settings, { stale });
}

test('a setting, its change and its removal are in force in a second process within the poll', async () => {
  const here = settingsOn(one);
  const there = settingsOn(other, 5);
  await Promise.all([here.refresh(), there.refresh()]);
  let told = 0;
  there.onChange(() => told++);

  const began = performance.now();
  await here.put({ kind: 'route', name: 'fast', value: { targets: ['a/m'] }, sealed: 'sealed' }, BY);
  expect(here.find('route', 'fast')?.value).toEqual({ targets: ['a/m'] });
  const found = await eventually('the other process has it', () => there.find('route', 'fast'));
  expect(performance.now() - began).toBeLessThan(POLL_MS);
  expect(found).toMatchObject({ value: { targets: ['a/m'] }, sealed: 'sealed', updatedBy: BY });

  await here.put({ kind: 'route', name: 'fast', value: { targets: ['b/m'] } }, BY);
  await eventually('the change', () => there.find('route', 'fast')?.value['targets']?.toString() === 'b/m');
  // A credential that was taken away is gone everywhere.
  expect(there.find('route', 'fast')?.sealed).toBeUndefined();

  await here.remove('route', 'fast', BY);
  await eventually('the removal', () => there.find('route', 'fast') === undefined);
  expect(told).toBe(3);
  expect([...here.stale, ...there.stale]).toEqual([]);
  here.close();
  there.close();
});

test('what another process has just made can be removed here at once', async () => {
  const here = settingsOn(one);
  const there = settingsOn(other);
  await there.put({ kind: 'price', name: 'a/m', value: {} }, BY);
  expect(await here.remove('price', 'a/m', BY)).toBe(true);
  expect(await there.remove('price', 'a/m', BY)).toBe(false);
  here.close();
  there.close();
});

test('two processes that write at once lose nothing and agree', async () => {
  const both = [settingsOn(one), settingsOn(other)];
  await Promise.all(
    Array.from({ length: 200 }, (_, at) =>
      both[at % 2]?.put({ kind: 'limit', name: `team/t${at}`, value: { at } }, BY),
    ),
  );
  await Promise.all(both.map((each) => each.refresh()));
  const shown = both.map((each) => JSON.stringify(each.all().filter(({ kind }) => kind === 'limit')));
  expect(shown[0]).toBe(shown[1] ?? '');
  expect(both[0]?.all().filter(({ kind }) => kind === 'limit')).toHaveLength(200);
  for (const each of both) each.close();
});

test('while the database cannot be read, what was known stays in force, and it is told', async () => {
  let broken = false;
  const flaky: Database = {
    ...other,
    all: (sql, params) => (broken ? Promise.reject(new Error('injected')) : other.all(sql, params)),
  };
  const there = settingsOn(flaky, 5);
  await there.put({ kind: 'target', name: 'a/m', value: { enabled: false } }, BY);
  broken = true;
  await eventually('the failure is told', () => there.stale.length > 0);
  expect(there.find('target', 'a/m')?.value).toEqual({ enabled: false });
  broken = false;
  const here = settingsOn(one);
  await here.put({ kind: 'target', name: 'a/m', value: { enabled: true } }, BY);
  await eventually('it follows again', () => there.find('target', 'a/m')?.value['enabled'] === true);
  here.close();
  there.close();
});

test('more settings than are read into memory are refused, not dropped', async () => {
  const database = createSqliteDatabase({ path: join(folder, 'full.db') });
  await migrate(database, governanceMigrations);
  const fill = new Sqlite(join(folder, 'full.db'));
  fill.run(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO managed_settings SELECT 'limit', 'team/t' || i, '{}', NULL, i, 0, 'key_test' FROM n`);
  fill.close();
  const full = settingsOn(database);
  await full.refresh();
  const more = full.put({ kind: 'limit', name: 'team/one-more', value: {} }, BY);
  expect(await more.catch((error: unknown) => error)).toMatchObject({ code: 'conflict' });
  expect((await full.put({ kind: 'limit', name: 'team/t1', value: { at: 1 } }, BY)).value).toEqual({ at: 1 });
  expect(full.all()).toHaveLength(10_000);
  full.close();
  await database.close();
});

test('a key that is revoked, rotated or narrowed elsewhere is so here within a second', async () => {
  const time = createManualTime();
  const here = createKeys({ database: one, clock: time.clock });
  const there = createKeys({ database: other, clock: time.clock });
  const make = async () => {
    const made = await here.create({ tenantId: DEFAULT_TENANT, name: 'n', role: 'member' });
    const secret = made.secret.reveal();
    expect((await there.authenticate(secret)).keyId).toBe(made.record.id);
    return { id: made.record.id, secret };
  };
  const invalid = (secret: string) =>
    there.authenticate(secret).then(
      () => 'valid',
      () => 'invalid',
    );

  const revoked = await make();
  const rotated = await make();
  const narrowed = await make();
  await here.revoke(DEFAULT_TENANT, revoked.id);
  const next = await here.rotate(DEFAULT_TENANT, rotated.id);
  await here.update(DEFAULT_TENANT, narrowed.id, { allowedRoutes: ['fast'] });
  await time.pass(1_000);
  expect(await invalid(revoked.secret)).toBe('invalid');
  expect(await invalid(rotated.secret)).toBe('invalid');
  expect((await there.authenticate(next?.secret.reveal() ?? '')).keyId).toBe(rotated.id);
  expect((await there.authenticate(narrowed.secret)).allowedRoutes).toEqual(['fast']);
});
