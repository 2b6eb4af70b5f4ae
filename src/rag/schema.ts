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
  {
    // Every new column may be null, so that a replica of the version before goes on writing beside this one.
    id: 'rag-002-collection-settings',
    sql: [
      // What documents and index are filed under; it stays when the collection is renamed.
      'ALTER TABLE collections ADD COLUMN id TEXT',
      'UPDATE collections SET id = name',
      // JSON of how it is searched and answered from; null: the defaults.
      'ALTER TABLE collections ADD COLUMN settings TEXT',
      // JSON of what the live index is made with; null: the defaults.
      'ALTER TABLE collections ADD COLUMN index_settings TEXT',
      'ALTER TABLE collections ADD COLUMN settings_revision INTEGER',
      // The highest version that an index of the collection ever had.
      'ALTER TABLE collections ADD COLUMN last_version INTEGER',
    ],
  },
  {
    id: 'rag-003-index-versions',
    sql: [
      // The indexes of a collection beside the live one.
      `CREATE TABLE index_versions (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        settings TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        failure TEXT,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, version)
      )`,
      // What every index holds: which text of which document. Filled for the indexes there are.
      `CREATE TABLE index_documents (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        version INTEGER NOT NULL,
        document_id TEXT NOT NULL,
        hash TEXT NOT NULL,
        chunks INTEGER NOT NULL,
        characters BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, version, document_id)
      )`,
      `INSERT INTO index_documents (tenant_id, collection, version, document_id, hash, chunks, characters)
       SELECT d.tenant_id, d.collection, c.version, d.id, d.content_hash, d.chunks, LENGTH(d.text)
       FROM documents d JOIN collections c ON c.tenant_id = d.tenant_id AND c.id = d.collection
       WHERE d.content_hash IS NOT NULL`,
      // Headings of the live version: what makes its chunks anew. Null: they are read from the text again.
      'ALTER TABLE documents ADD COLUMN headings TEXT',
      // Versions just replaced, for readers that searched before.
      `CREATE TABLE superseded_documents (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        document_id TEXT NOT NULL,
        hash TEXT NOT NULL,
        title TEXT,
        text TEXT,
        metadata TEXT,
        at_ms BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, document_id)
      )`,
      'CREATE INDEX superseded_documents_at ON superseded_documents (at_ms)',
      // Indexes whose files may still hold bytes of what was deleted.
      `CREATE TABLE index_purges (
        tenant_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        version INTEGER NOT NULL,
        asked BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, collection, version)
      )`,
    ],
  },
  {
    id: 'rag-004-document-access',
    sql: [
      // JSON of who may find a version; null: everybody who may use the collection.
      'ALTER TABLE documents ADD COLUMN access TEXT',
      'ALTER TABLE documents ADD COLUMN pending_access TEXT',
      'ALTER TABLE superseded_documents ADD COLUMN access TEXT',
      // Not null: access or metadata were changed apart from the text. 1: the indexes have yet to hear of it.
      'ALTER TABLE documents ADD COLUMN amended INTEGER',
    ],
  },
];
