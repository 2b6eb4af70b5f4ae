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
  /** What filters can name of the document, as canonical tags without TAG_SEPARATOR; see documentTags. */
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
  | { tagRange: TagRange }
  | { and: readonly IndexFilter[] }
  | { or: readonly IndexFilter[] }
  | { not: IndexFilter };

/**
 * The chunk carries a tag that begins with `prefix` and whose rest lies within the bounds, in the order of code points.
 * A bound that is absent does not bind; a bound has at most MOST_BOUND_LENGTH code points.
 */
export interface TagRange {
  prefix: string;
  gt?: string;
  gte?: string;
  lt?: string;
  lte?: string;
}
export const MOST_BOUND_LENGTH = 64;

/** No tag holds it, so that a store may write the tags of a chunk as one text. */
export const TAG_SEPARATOR = '\u0001';

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
  /**
   * Gives every chunk of the documents named their new tags, in one commit; all else of the chunks stays, and so do
   * documents that are not in the index.
   */
  retag(ref: IndexRef, tags: ReadonlyMap<DocumentId, readonly string[]>): Promise<void>;
  searchLexical(ref: IndexRef, terms: readonly string[], search: IndexSearch): Promise<IndexHit[]>;
  searchDense(ref: IndexRef, vector: Float32Array, search: IndexSearch): Promise<IndexHit[]>;
  count(ref: IndexRef): Promise<number>;
  /** Distinct document ids in the index, for the completeness check. */
  documentIds(ref: IndexRef): Promise<Set<DocumentId>>;
  /** Folds small appends together and builds or extends the search structures; in the background. */
  optimise(ref: IndexRef): Promise<void>;
  /** Rewrites the index so that no file of it holds what was deleted or replaced before the call; in the background. */
  purge(ref: IndexRef): Promise<void>;
  drop(ref: IndexRef): Promise<void>;
  close(): Promise<void>;
}
