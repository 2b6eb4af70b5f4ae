import type { Migration } from '../ports/database.ts';

/** Golden sets and what evaluations of them gave. `collection` is the id that a rename leaves alone. */
export const evalsMigrations: Migration[] = [
  {
    id: 'evals-001-golden-sets',
    sql: [
      `CREATE TABLE golden_cases (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        question TEXT NOT NULL,
        relevant TEXT NOT NULL,
        origin TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, id)
      )`,
      `CREATE TABLE evaluation_runs (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        settings_revision INTEGER NOT NULL,
        k INTEGER NOT NULL,
        summary TEXT NOT NULL,
        cases TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, id)
      )`,
    ],
  },
];
