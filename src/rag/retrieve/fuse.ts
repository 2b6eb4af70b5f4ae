import type { IndexHit } from '../../ports/chunk-index.ts';
import type { HitExplain, LegExplain } from '../../spec/document.ts';

/** A candidate with its place in the fused order. */
export interface FusedHit {
  hit: IndexHit;
  /** 0..1, comparable within one query only. */
  score: number;
  explain: HitExplain;
}

/** The weight of the dense leg where a collection sets none; measured in bench/retrieval. */
export const DEFAULT_DENSE_WEIGHT = 0.3;

/**
 * Convex combination of both legs: (1 - w) * lexical + w * dense, after Bruch, Gai and Ingber, "An Analysis of
 * Fusion Functions for Hybrid Retrieval" (2023). The lexical score is normalised between its theoretical minimum,
 * 0, and the best of the query; the dense score between the worst and the best candidate of the query. A leg that
 * does not have a chunk adds nothing for it. Equal scores stand in order of chunk id.
 *
 * @param denseWeight 0 (lexical alone) to 1 (dense alone)
 */
export function fuse(lexical: readonly IndexHit[], dense: readonly IndexHit[], denseWeight: number): FusedHit[] {
  const fused = new Map<string, FusedHit>();
  const add = (leg: 'lexical' | 'dense', hits: readonly IndexHit[], floor: number, weight: number): void => {
    const range = (hits[0]?.score ?? 0) - floor;
    hits.forEach((hit, i) => {
      const normalised = range > 0 ? (hit.score - floor) / range : 1;
      const found: LegExplain = { rank: i + 1, raw: hit.score, normalised, weight };
      const entry = fused.get(hit.chunkId) ?? { hit, score: 0, explain: { fused: 0 } };
      entry.score += weight * normalised;
      entry.explain[leg] = found;
      entry.explain.fused = entry.score;
      fused.set(hit.chunkId, entry);
    });
  };
  add('lexical', lexical, 0, 1 - denseWeight);
  add('dense', dense, dense.at(-1)?.score ?? 0, denseWeight);
  return [...fused.values()].sort((a, b) => b.score - a.score || (a.hit.chunkId < b.hit.chunkId ? -1 : 1));
}
