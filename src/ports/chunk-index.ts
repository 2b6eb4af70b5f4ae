import type { CollectionName, DocumentId, TenantId } from '../spec/ids.ts';

/** Which physical index: separate per tenant, collection and version of the collection. */
export interface IndexRef {
  tenantId: TenantId;
  collection: CollectionName;
  version: number;
}

/** One chunk as it goes into the index. */
export interface ChunkRow {
  chunkId: string;
  documentId: DocumentId;
  ordinal: number;
  start: number;
  end: number;
  /** What is handed on in place of the chunk, where that is more than the chunk. */
  passage?: { start: number; end: number };
  /** JSON of the heading path, outermost first. */
  headingPath: string[];
  /** Terms joined by single spaces, made by the tokeniser of the collection. */
  terms: string;
  vector: Float32Array;
  /** Metadata of the document that filters can name, as canonical `key=value` tags; see tagsOf. */
  tags: string[];
}

/** What a leg finds. The higher the score, the better: BM25, or cosine similarity. */
export interface IndexHit {
  chunkId: string;
  documentId: DocumentId;
  start: number;
  end: number;
  /** What is handed on in place of the chunk, where that is more than the chunk. */
  passage?: { start: number; end: number };
  headingPath: string[];
  score: number;
}

/** Which chunks a search may find, decided before ranking. */
export type IndexFilter =
  /** The chunk carries one of the tags; none of an empty list. */
  | { anyTag: readonly string[] }
  | { documentIds: readonly DocumentId[] }
  | { and: readonly IndexFilter[] }
  | { or: readonly IndexFilter[] }
  | { not: IndexFilter };

export interface IndexSearch {
  limit: number;
  where?: IndexFilter;
}

/** The index of chunks: both legs of retrieval over the same rows. */
export interface ChunkIndex {
  /**
   * Replaces every chunk of the named documents with the rows given, in one commit: a reader sees the old
   * chunks of a document or the new ones, never a mix and never neither. Repeating a call changes nothing.
   * `fresh` names that none of the documents is in the index yet, which saves the look.
   */
  replace(ref: IndexRef, documentIds: readonly DocumentId[], rows: readonly ChunkRow[], fresh: boolean): Promise<void>;
  searchLexical(ref: IndexRef, terms: readonly string[], search: IndexSearch): Promise<IndexHit[]>;
  searchDense(ref: IndexRef, vector: Float32Array, search: IndexSearch): Promise<IndexHit[]>;
  count(ref: IndexRef): Promise<number>;
  /** Distinct document ids in the index, for the completeness check. */
  documentIds(ref: IndexRef): Promise<Set<DocumentId>>;
  /** Folds small appends together and builds or extends the search structures; in the background. */
  optimise(ref: IndexRef): Promise<void>;
  drop(ref: IndexRef): Promise<void>;
  close(): Promise<void>;
}
