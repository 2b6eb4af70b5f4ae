import type { Clock } from '../../lib/clock.ts';
import { gather } from '../../lib/gather.ts';
import type { CacheEntry, CacheStore } from '../../ports/cache-store.ts';
import type { Database, Statement } from '../../ports/database.ts';

export interface SqliteCacheStoreOptions {
  /** With the tables of `sqliteCacheMigrations`; it stays open when the store is closed. */
  database: Database;
  /** What values and keys may take together; the oldest make room. */
  maxBytes: number;
  clock: Clock;
}

const KEYS_PER_GET = 256;
const ENTRIES_PER_SET = 256;
/** Entries that make room in one step. */
const EVICTED_PER_STEP = 500;
/** Entries that go in one step where a tag names them: a few milliseconds of work. */
const REMOVED_PER_STEP = 500;
/** When it is full, so much of it stays: making room is dear and must not happen with every entry. */
const STAYS = 0.9;
/** What an entry takes on disk beside its value and key. */
const ENTRY_BYTES = 60;
const SWEEP_EVERY_MS = 60_000;

/** A cache of one process on its disk: what it holds is there again after a restart. Nobody else removes anything. */
export function createSqliteCacheStore(options: SqliteCacheStoreOptions): CacheStore {
  const { database, maxBytes, clock } = options;
  /** What is held at most; counted when needed, because overwritten entries are added again. */
  let heldBytes: number | undefined;
  let sweptMs = Number.NEGATIVE_INFINITY;

  const get = gather<string, Uint8Array | undefined>(KEYS_PER_GET, async (keys) => {
    const rows = await database.all<{ key: string; value: Uint8Array }>(
      'SELECT key, value FROM cache_entries WHERE until_ms > ? AND key IN (SELECT value FROM json_each(?))',
      [clock.nowMs(), JSON.stringify(keys)],
    );
    const values = new Map(rows.map(({ key, value }) => [key, value]));
    return keys.map((key) => values.get(key));
  });

  const set = gather<{ key: string; entry: CacheEntry }, void>(ENTRIES_PER_SET, async (given) => {
    const fitting = given.filter(({ key, entry }) => sizeOf(key, entry) <= maxBytes);
    const nowMs = clock.nowMs();
    if (nowMs - sweptMs > SWEEP_EVERY_MS) {
      sweptMs = nowMs;
      await database.run('DELETE FROM cache_entries WHERE until_ms <= ?', [nowMs]);
    }
    await database.batch(fitting.flatMap(({ key, entry }) => insertion(key, entry, nowMs)));
    heldBytes = (heldBytes ?? (await count())) + fitting.reduce((sum, { key, entry }) => sum + sizeOf(key, entry), 0);
    if (heldBytes > maxBytes) await makeRoom();
    return given.map(() => undefined);
  });

  async function count(): Promise<number> {
    const [row] = await database.all<{ bytes: number | null }>('SELECT SUM(bytes) AS bytes FROM cache_entries');
    return row?.bytes ?? 0;
  }

  async function makeRoom(): Promise<void> {
    heldBytes = await count();
    while (heldBytes > maxBytes * STAYS) {
      const oldest = await database.all<{ id: number; bytes: number }>(
        'SELECT id, bytes FROM cache_entries ORDER BY id LIMIT ?',
        [EVICTED_PER_STEP],
      );
      let last: number | undefined;
      for (const { id, bytes } of oldest) {
        if (heldBytes <= maxBytes * STAYS) break;
        heldBytes -= bytes;
        last = id;
      }
      if (last === undefined) return;
      await database.run('DELETE FROM cache_entries WHERE id <= ?', [last]);
    }
  }

  /** A tag may stand on all entries of a large collection; in between, others have their turn. */
  async function removeTagged(tag: string): Promise<number> {
    for (let removed = 0; ;) {
      const { changes } = await database.run(
        'DELETE FROM cache_entries WHERE id IN (SELECT entry_id FROM cache_tags WHERE tag = ? LIMIT ?)',
        [tag, REMOVED_PER_STEP],
      );
      removed += changes;
      if (changes < REMOVED_PER_STEP) return removed;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  return {
    get: (key) => get(key).catch(() => undefined),
    set: (key, entry) => set({ key, entry }).catch(() => undefined),
    remove: async (selection) => {
      if ('tag' in selection) return removeTagged(selection.tag);
      const { changes } = await database.run('DELETE FROM cache_entries WHERE key GLOB ?', [globOf(selection.pattern)]);
      return changes;
    },
    onRemoved: () => undefined,
    close: () => Promise.resolve(),
  };
}

function insertion(key: string, entry: CacheEntry, nowMs: number): Statement[] {
  const { value, ttlMs, tags } = entry;
  return [
    { sql: 'DELETE FROM cache_entries WHERE key = ?', params: [key] },
    {
      sql: 'INSERT INTO cache_entries (key, until_ms, bytes, value) VALUES (?, ?, ?, ?)',
      params: [key, Math.ceil(nowMs + ttlMs), sizeOf(key, entry), value],
    },
    ...tags.map((tag) => ({
      sql: 'INSERT OR IGNORE INTO cache_tags (tag, entry_id) SELECT ?, id FROM cache_entries WHERE key = ?',
      params: [tag, key],
    })),
  ];
}

function sizeOf(key: string, { value, tags }: CacheEntry): number {
  return value.byteLength + key.length + ENTRY_BYTES + tags.reduce((sum, tag) => sum + tag.length + ENTRY_BYTES, 0);
}

/** In SQLite's patterns a bracket opens a set of characters; in ours it is itself. */
function globOf(pattern: string): string {
  return pattern.replace(/\[/g, '[[]');
}
