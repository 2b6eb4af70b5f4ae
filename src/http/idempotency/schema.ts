import type { Migration } from '../../ports/database.ts';

/**
 * One row per Idempotency-Key of a key of a tenant. While the first call runs it is a claim with a lease; afterwards
 * it is the answer. `status` is null until then; `body` is null where the answer was too large to keep.
 */
export const idempotencyMigrations: Migration[] = [
  {
    id: 'http-001-idempotency',
    sql: [
      `CREATE TABLE http_idempotency (
        tenant_id TEXT NOT NULL,
        key_id TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        claim_id TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        lease_until_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        status INTEGER,
        headers TEXT,
        body TEXT,
        PRIMARY KEY (tenant_id, key_id, idempotency_key)
      )`,
      'CREATE INDEX http_idempotency_by_expiry ON http_idempotency (expires_ms)',
    ],
  },
  {
    // Keeping, renewing and releasing a claim name it alone.
    id: 'http-002-idempotency-claims',
    sql: ['CREATE UNIQUE INDEX http_idempotency_by_claim ON http_idempotency (claim_id)'],
  },
];
