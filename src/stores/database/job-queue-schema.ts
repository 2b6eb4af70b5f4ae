import type { Migration } from '../../ports/database.ts';

/** Jobs with the leases of their workers. */
export const jobQueueMigrations: Migration[] = [
  {
    id: 'job-queue-001-jobs',
    sql: [
      `CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL,
        queue TEXT NOT NULL,
        kind TEXT NOT NULL,
        input TEXT NOT NULL,
        key_id TEXT NOT NULL,
        priority INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        max_attempts INTEGER NOT NULL,
        lapses INTEGER NOT NULL,
        progress TEXT NOT NULL,
        result TEXT,
        failure_code TEXT,
        failure_message TEXT,
        created_ms BIGINT NOT NULL,
        started_ms BIGINT,
        finished_ms BIGINT,
        not_before_ms BIGINT NOT NULL,
        lease_token TEXT,
        lease_until_ms BIGINT,
        cancel_requested INTEGER NOT NULL
      )`,
      'CREATE INDEX jobs_next ON jobs (queue, state, priority, id)',
      'CREATE INDEX jobs_of_tenant ON jobs (tenant_id, id)',
      'CREATE INDEX jobs_ended ON jobs (state, finished_ms)',
    ],
  },
];
