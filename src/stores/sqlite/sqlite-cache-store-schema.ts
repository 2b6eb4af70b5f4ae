import type { Migration } from '../../ports/database.ts';

/** The tables of the cache on disk. The order of ids is the order of age. */
export const sqliteCacheMigrations: Migration[] = [
  {
    id: 'sqlite-cache-001',
    sql: [
      `CREATE TABLE cache_entries (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        until_ms BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        value BLOB NOT NULL
      )`,
      'CREATE INDEX cache_entries_until ON cache_entries (until_ms)',
      // Holds the sum of all sizes without touching the values.
      'CREATE INDEX cache_entries_bytes ON cache_entries (bytes)',
      `CREATE TABLE cache_tags (
        tag TEXT NOT NULL,
        entry_id INTEGER NOT NULL REFERENCES cache_entries (id) ON DELETE CASCADE,
        PRIMARY KEY (tag, entry_id)
      ) WITHOUT ROWID`,
      'CREATE INDEX cache_tags_entry ON cache_tags (entry_id)',
    ],
  },
];
