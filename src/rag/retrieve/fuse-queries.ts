import type { HitExplain } from '../../spec/document.ts';
import type { FusedHit } from './fuse.ts';

/** What one query found, fused, the best first. */
export interface QueryHits {
  query: string;
  /** Above 0. */
  weight: number;
  hits: readonly FusedHit[];
}

/**
 * Fuses the hits of several queries: the mean of their scores by the queries' weights, a hit that a query does not
 * have counting as nothing there. One query alone stays as it is. Ranks of legs are told of the first query that
 * found a hit, and of each query beside it. Equal scores stand in order of chunk id.
 */
export function fuseQueries(found: readonly QueryHits[]): FusedHit[] {
  const [only] = found;
  if (only === undefined) return [];
  if (found.length === 1) return [...only.hits];
  const total = found.reduce((sum, { weight }) => sum + weight, 0);
  const fused = new Map<string, FusedHit>();
  for (const { query, weight, hits } of found) {
    for (const { hit, score, explain } of hits) {
      const { lexical, dense } = explain;
      const legs = { ...(lexical && { lexical }), ...(dense && { dense }) };
      const entry = fused.get(hit.chunkId) ?? { hit, score: 0, explain: { ...legs, fused: 0, queries: [] } };
      entry.score += (weight / total) * score;
      entry.explain.fused = entry.score;
      entry.explain.queries = [...(entry.explain.queries ?? []), { query, weight, ...legs, fused: score }];
      fused.set(hit.chunkId, entry satisfies { explain: HitExplain });
    }
  }
  return [...fused.values()].sort((a, b) => b.score - a.score || (a.hit.chunkId < b.hit.chunkId ? -1 : 1));
}
