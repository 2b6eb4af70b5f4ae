import type { TenantId } from '../../spec/ids.ts';

/** What to forget. A pattern is a glob (`*`, `?`) over `route/hash`, or `embedding/provider/model/hash`. */
export type Invalidation = { pattern: string } | { route: string } | { tag: string } | { document: string };

/** What a level holds of a tenant. */
export interface LevelSize {
  entries: number;
  bytes: number;
}

/** Counted since the process began, for one tenant, in this process. */
export interface AnswerCacheStats {
  /** Calls that asked the cache. */
  lookups: number;
  hits: number;
  misses: number;
  /** Hits as a share of lookups; 0 where there were none. */
  hitRate: number;
  memoryHits: number;
  sharedHits: number;
  /** Hits that waited for an identical call. */
  joined: number;
  kept: number;
  /** Answers that were not to be given again: cut, filtered, broken, failed. */
  notKept: number;
  memory: LevelSize;
}

/** Counted per text, not per call. */
export interface EmbeddingCacheStats {
  lookups: number;
  hits: number;
  misses: number;
  hitRate: number;
  memoryHits: number;
  sharedHits: number;
  memory: LevelSize;
}

export interface CacheStats {
  answers: AnswerCacheStats;
  embeddings?: EmbeddingCacheStats;
}

/** The caches as an administrator of a tenant sees them: its own share and nothing of others. */
export interface CacheAdmin {
  stats(tenantId: TenantId): Promise<CacheStats>;
  /**
   * Forgets answers and embeddings of the tenant, in this process and in every other one.
   * @returns how many were forgotten; where several processes hold the same one, it counts once.
   * @throws SekishoError storage_unavailable where the shared store does not answer: then only this process has forgotten.
   */
  invalidate(tenantId: TenantId, selection: Invalidation): Promise<number>;
}

/** One cache of those that an administrator sees together. */
export interface CachePart<S> {
  stats(tenantId: TenantId): S;
  invalidate(tenantId: TenantId, selection: Invalidation): Promise<number>;
}

/** The caches of a process as one. */
export function createCacheAdmin(caches: {
  answers: CachePart<AnswerCacheStats>;
  embeddings?: CachePart<EmbeddingCacheStats>;
}): CacheAdmin {
  const { answers, embeddings } = caches;
  return {
    stats: (tenantId) =>
      Promise.resolve({
        answers: answers.stats(tenantId),
        ...(embeddings && { embeddings: embeddings.stats(tenantId) }),
      }),
    invalidate: async (tenantId, selection) => {
      // Both forget, whatever becomes of the other.
      const removed = await Promise.allSettled([
        answers.invalidate(tenantId, selection),
        embeddings?.invalidate(tenantId, selection) ?? 0,
      ]);
      let count = 0;
      for (const each of removed) {
        if (each.status === 'rejected') throw each.reason;
        count += each.value;
      }
      return count;
    },
  };
}
