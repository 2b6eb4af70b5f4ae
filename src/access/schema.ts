import type { Migration } from '../ports/database.ts';

/** Keys are stored as their sha-256: 190 random bits need no slow hash, and a lookup is one index probe. */
export const accessMigrations: Migration[] = [
  {
    id: 'access-001-keys',
    sql: [
      `CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL,
        name TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        role TEXT NOT NULL,
        allowed_routes TEXT NOT NULL,
        limits TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        expires_ms BIGINT,
        revoked_ms BIGINT
      )`,
      'CREATE INDEX api_keys_of_tenant ON api_keys (tenant_id, created_ms)',
    ],
  },
  {
    id: 'access-002-teams-and-tags',
    sql: ['ALTER TABLE api_keys ADD COLUMN team TEXT', 'ALTER TABLE api_keys ADD COLUMN tags TEXT'],
  },
  {
    // What documents can be opened to: a list and an object of lists, as JSON; null: none.
    id: 'access-003-groups-and-attributes',
    sql: ['ALTER TABLE api_keys ADD COLUMN groups_json TEXT', 'ALTER TABLE api_keys ADD COLUMN attributes_json TEXT'],
  },
];
