import type { Migration } from '../ports/database.ts';

/** What jobs were given that is too large for the queue: stored when it is accepted, and until it is dealt with. */
export const jobMigrations: Migration[] = [
  {
    id: 'jobs-001-staged-items',
    sql: [
      `CREATE TABLE staged_items (
        job_id TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        tenant_id TEXT NOT NULL,
        item_id TEXT NOT NULL,
        payload TEXT,
        characters INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        chunks INTEGER NOT NULL,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (job_id, ordinal)
      )`,
    ],
  },
];
