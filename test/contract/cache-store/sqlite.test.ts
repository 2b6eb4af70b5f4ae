import { describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../../src/migrate.ts';
import { createSqliteCacheStore } from '../../../src/stores/sqlite/sqlite-cache-store.ts';
import { sqliteCacheMigrations } from '../../../src/stores/sqlite/sqlite-cache-store-schema.ts';
import { createSqliteDatabase } from '../../../src/stores/sqlite/sqlite-database.ts';
import { cacheStoreContract } from './cache-store.contract.ts';

const GENEROUS_BYTES = 100 * 1024 * 1024;

async function openStore(path: string, maxBytes = GENEROUS_BYTES) {
  const clock = { now: Date.parse('2026-03-10T00:00:00Z'), nowMs: () => clock.now, monotonicMs: () => clock.now };
  const database = createSqliteDatabase({ path });
  await migrate(database, sqliteCacheMigrations);
  return { clock, database, store: createSqliteCacheStore({ database, maxBytes, clock }) };
}

cacheStoreContract('sqlite', async () => {
  const { clock, database, store } = await openStore(':memory:');
  return {
    store,
    elapse: (ms) => {
      clock.now += ms;
      return Promise.resolve();
    },
    remove: () => database.close(),
  };
});

describe('cache store: sqlite', () => {
  const entry = (bytes: number, ttlMs = 3_600_000) => ({ value: new Uint8Array(bytes), ttlMs, tags: ['t'] });

  test('what it holds is there after a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sekisho-cache-'));
    const path = join(folder, 'cache.db');
    const first = await openStore(path);
    await first.store.set('ten_a/k', entry(10));
    await first.database.close();
    const second = await openStore(path);
    expect(await second.store.get('ten_a/k')).toHaveLength(10);
    await second.database.close();
    await rm(folder, { recursive: true });
  });

  test('it never holds more than its bytes: the oldest make room', async () => {
    const maxBytes = 50_000;
    const { database, store } = await openStore(':memory:', maxBytes);
    for (let each = 0; each < 500; each++) await store.set(`ten_a/${each}`, entry(1_000));
    const [held] = await database.all<{ bytes: number; entries: number }>(
      'SELECT SUM(bytes) AS bytes, COUNT(*) AS entries FROM cache_entries',
    );
    expect(held?.bytes).toBeLessThanOrEqual(maxBytes);
    expect(held?.entries).toBeGreaterThan(30);
    expect(await store.get('ten_a/499')).toBeDefined();
    expect(await store.get('ten_a/0')).toBeUndefined();
    const [tags] = await database.all<{ tags: number }>('SELECT COUNT(*) AS tags FROM cache_tags');
    expect(tags?.tags).toBe(held?.entries);
    await store.set('ten_a/huge', entry(maxBytes + 1));
    expect(await store.get('ten_a/huge')).toBeUndefined();
    expect(await store.get('ten_a/499')).toBeDefined();
  });

  test('what has ended takes no room for long', async () => {
    const { clock, database, store } = await openStore(':memory:');
    await store.set('ten_a/old', entry(10, 1_000));
    clock.now += 120_000;
    await store.set('ten_a/new', entry(10));
    expect(await database.all('SELECT key FROM cache_entries')).toEqual([{ key: 'ten_a/new' }]);
  });

  test('a database that fails costs entries, never an error; only a removal says so', async () => {
    const { database, store } = await openStore(':memory:');
    await database.run('DROP TABLE cache_entries');
    await store.set('ten_a/k', entry(10));
    expect(await store.get('ten_a/k')).toBeUndefined();
    expect(store.remove({ tag: 't' })).rejects.toMatchObject({ code: 'storage_unavailable' });
  });
});
