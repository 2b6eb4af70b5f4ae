import type { Migration } from '../ports/database.ts';

/**
 * Collections and their documents. A document has a live version, which answers, and while it is being
 * (re)indexed a pending one beside it; both are stored before the index hears of them.
 */
export const ragMigrations: Migration[] = [
  {
    id: 'rag-001-collections-and-documents',
    sql: [
      `CREATE TABLE collections (
        tenant_id TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        embedding_route TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dense_weight DOUBLE PRECISION,
        deleting INTEGER NOT NULL,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, name)
      )`,
      `CREATE TABLE documents (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        title TEXT,
        text TEXT,
        metadata TEXT,
        content_hash TEXT,
        pending_title TEXT,
        pending_text TEXT,
        pending_metadata TEXT,
        pending_headings TEXT,
        pending_hash TEXT,
        failure TEXT,
        chunks INTEGER NOT NULL,
        updated_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, id)
      )`,
      'CREATE INDEX documents_unfinished ON documents (tenant_id, collection, state)',
    ],
  },
];
