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
  {
    id: 'gateway-002-ledger-parts',
    // Every column may be null, so that a replica of the version before goes on writing beside this one.
    sql: [
      'ALTER TABLE ledger ADD COLUMN team TEXT',
      'ALTER TABLE ledger ADD COLUMN tags TEXT',
      'ALTER TABLE ledger ADD COLUMN cache TEXT',
      'ALTER TABLE ledger ADD COLUMN trace_id TEXT',
      'ALTER TABLE ledger ADD COLUMN audio_input_tokens BIGINT',
      'ALTER TABLE ledger ADD COLUMN audio_output_tokens BIGINT',
      'ALTER TABLE ledger ADD COLUMN image_input_tokens BIGINT',
      'ALTER TABLE ledger ADD COLUMN image_output_tokens BIGINT',
      'ALTER TABLE ledger ADD COLUMN long_cache_write_tokens BIGINT',
      'ALTER TABLE ledger ADD COLUMN search_units BIGINT',
      // One index, in the order in which rows come: a commit dirties one page of it however many keys took
      // part, and it holds all that the sums of budgets ask for.
      'DROP INDEX ledger_of_key',
      'CREATE INDEX ledger_in_time ON ledger (tenant_id, at_ms, cost_micros, key_id, team, end_user, route, target)',
    ],
  },
];
