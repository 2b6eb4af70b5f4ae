import type { Migration } from '../../ports/database.ts';

/** Sources, what each of them has brought, the documents made of it, and how its runs went. */
export const sourceMigrations: Migration[] = [
  {
    id: 'sources-001-sources-items-runs',
    sql: [
      `CREATE TABLE sources (
        tenant_id TEXT NOT NULL,
        id TEXT NOT NULL,
        collection TEXT NOT NULL,
        name TEXT NOT NULL,
        settings TEXT NOT NULL,
        sealed TEXT,
        access TEXT,
        schedule TEXT,
        time_zone TEXT NOT NULL,
        removal TEXT NOT NULL,
        state TEXT NOT NULL,
        pause_reason TEXT,
        memory TEXT,
        created_by TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        updated_ms BIGINT NOT NULL,
        next_run_ms BIGINT,
        lease_owner TEXT,
        lease_until_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id)
      )`,
      'CREATE INDEX sources_due ON sources (next_run_ms)',
      `CREATE TABLE source_items (
        tenant_id TEXT NOT NULL,
        source_id TEXT NOT NULL,
        item_key TEXT NOT NULL,
        stamp TEXT,
        hash TEXT,
        reason TEXT,
        seen_run TEXT NOT NULL,
        updated_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, source_id, item_key)
      )`,
      `CREATE TABLE source_documents (
        tenant_id TEXT NOT NULL,
        source_id TEXT NOT NULL,
        document_id TEXT NOT NULL,
        item_key TEXT NOT NULL,
        PRIMARY KEY (tenant_id, source_id, document_id)
      )`,
      'CREATE INDEX source_documents_of_item ON source_documents (tenant_id, source_id, item_key)',
      `CREATE TABLE source_runs (
        tenant_id TEXT NOT NULL,
        source_id TEXT NOT NULL,
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        told TEXT NOT NULL,
        started_ms BIGINT NOT NULL,
        ended_ms BIGINT,
        PRIMARY KEY (tenant_id, source_id, id)
      )`,
    ],
  },
];
