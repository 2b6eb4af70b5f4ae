import type { Migration } from '../ports/database.ts';

/** The ledger: one row per settled call, never updated, never deleted by the gateway. */
export const gatewayMigrations: Migration[] = [
  {
    id: 'gateway-001-ledger',
    sql: [
      `CREATE TABLE ledger (
        id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        tenant_id TEXT NOT NULL,
        key_id TEXT NOT NULL,
        end_user TEXT,
        at_ms BIGINT NOT NULL,
        operation TEXT NOT NULL,
        route TEXT NOT NULL,
        target TEXT NOT NULL,
        wire TEXT NOT NULL,
        upstream_model TEXT NOT NULL,
        input_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        cached_input_tokens BIGINT NOT NULL,
        cache_write_tokens BIGINT NOT NULL,
        reasoning_tokens BIGINT NOT NULL,
        usage_basis TEXT NOT NULL,
        cost_micros BIGINT,
        outcome TEXT NOT NULL,
        error_code TEXT,
        attempts INTEGER NOT NULL,
        streamed INTEGER NOT NULL,
        duration_ms DOUBLE PRECISION NOT NULL,
        first_byte_ms DOUBLE PRECISION
      )`,
      'CREATE INDEX ledger_of_key ON ledger (key_id, at_ms)',
    ],
  },
];
