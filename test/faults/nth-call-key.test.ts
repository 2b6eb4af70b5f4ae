import { expect, test } from 'bun:test';
import { createKeys } from '../../src/access/keys.ts';
import { accessMigrations } from '../../src/access/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { migrate } from '../../src/migrate.ts';
import type { Database } from '../../src/ports/database.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import { failingAt, type Moment } from './nth-call.ts';

const NEW = { tenantId: DEFAULT_TENANT, name: 'n', role: 'member' } as const;

test.each(['before', 'after'] satisfies Moment[])(
  'fault 16: whichever call of a creation, rotation or revocation of a key fails, %s its effect, no secret is given that does not hold',
  async (moment) => {
    for (const verb of ['create', 'rotate', 'revoke', 'update'] as const) {
      for (let nth = 1; ; nth++) {
        const database = createSqliteDatabase({ path: ':memory:' });
        await migrate(database, accessMigrations);
        const sound = createKeys({ database, clock: systemClock });
        const old = await sound.create(NEW);
        const failing = failingAt(nth, moment);
        const wrapped: Database = {
          ...database,
          all: (sql, params) => failing.call(() => database.all(sql, params)),
          run: (sql, params) => failing.call(() => database.run(sql, params)),
          batch: (statements) => failing.call(() => database.batch(statements)),
        };
        const keys = createKeys({ database: wrapped, clock: systemClock });
        const verbs = {
          create: () => keys.create(NEW),
          rotate: () => keys.rotate(DEFAULT_TENANT, old.record.id),
          revoke: () => keys.revoke(DEFAULT_TENANT, old.record.id),
          update: () => keys.update(DEFAULT_TENANT, old.record.id, { name: 'changed', limits: { concurrency: 1 } }),
        };
        const outcome: unknown = await verbs[verb]().catch((error: unknown) => error);
        const failed = outcome instanceof SekishoError;
        if (failed) expect(outcome.code).toBe('storage_unavailable');

        // After it, seen by a process that knows nothing of the failure.
        const after = createKeys({ database, clock: systemClock });
        const holds = (secret: string) =>
          after.authenticate(secret).then(
            () => true,
            () => false,
          );
        const rows = await after.list(DEFAULT_TENANT);
        expect(rows.length).toBeLessThanOrEqual(2);
        if (typeof outcome === 'object' && outcome !== null && 'secret' in outcome && !failed) {
          const given = outcome as Awaited<ReturnType<typeof keys.create>>;
          expect(await holds(given.secret.reveal())).toBe(true);
          if (verb === 'rotate') expect(await holds(old.secret.reveal())).toBe(false);
        }
        if (verb === 'create') expect(await holds(old.secret.reveal())).toBe(true);
        if (verb === 'revoke' && !failed) expect(await holds(old.secret.reveal())).toBe(false);
        const [kept] = rows.filter(({ id }) => id === old.record.id);
        // A change is whole or is not.
        expect(['["n",{}]', '["changed",{"concurrency":1}]']).toContain(JSON.stringify([kept?.name, kept?.limits]));

        // What failed can be done again, and what could not be told can be ended.
        const again = await after.create(NEW);
        expect(await holds(again.secret.reveal())).toBe(true);
        for (const { id, revokedMs } of await after.list(DEFAULT_TENANT)) {
          expect(await after.revoke(DEFAULT_TENANT, id)).toBe(revokedMs === null);
        }
        for (const { secret } of [old, again]) expect(await holds(secret.reveal())).toBe(false);
        await database.close();
        if (!failed) break;
        expect(nth).toBeLessThan(10);
      }
    }
  },
);
