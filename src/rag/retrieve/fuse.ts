import type { IndexHit } from '../../ports/chunk-index.ts';
import type { HitExplain, LegExplain } from '../../spec/document.ts';

/** A candidate with its place in the fused order. */
export interface FusedHit {
  hit: IndexHit;
  /** 0..1, comparable within one query only. */
  score: number;
  explain: HitExplain;
}

/** The share of the dense leg where a collection sets none; measured in bench/retrieval. */
export const DEFAULT_DENSE_WEIGHT = 0.15;

/** The best BM25 score of an ordinary question, at which the dense leg has exactly its share. */
const USUAL_BEST_LEXICAL = 30;

/** How much a rank below the first costs; the constant of the paper. */
const RANK_OFFSET = 60;

/**
 * Convex combination of both legs, after Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
 * Retrieval" (2023): each leg normalised to 0..1, then (1 - w) * lexical + w * dense.
 *
 * Lexical scores are divided by the best of the query, dense ones placed between the worst and the best candidate.
 * That makes the best lexical hit 1 however little of the question it matches, so the weight makes up for it: w grows
 * as the best BM25 score falls, in such a way that a point of BM25 is worth the same in every query. A question whose
 * words the corpus does not have, as one in another language, is answered by meaning.
 *
 * A leg that cut its list short counts what it left out like its last hit; otherwise, as nothing. Equal scores
 * stand in order of chunk id.
 *
 * @param denseWeight 0 (lexical alone) to 1 (dense alone)
 * @param limit how many hits each leg was asked for
 */
export function fuse(
  lexical: readonly IndexHit[],
  dense: readonly IndexHit[],
  { denseWeight, limit }: { denseWeight: number; limit: number },
): FusedHit[] {
  const best = lexical[0]?.score ?? 0;
  const denseShare = denseWeight * USUAL_BEST_LEXICAL;
  const weight = denseWeight === 1 || best <= 0 ? 1 : denseShare / (denseShare + (1 - denseWeight) * best);
  const lexicalLeg = placed(lexical, 0, 1 - weight, limit);
  const denseLeg = placed(dense, dense.at(-1)?.score ?? 0, weight, limit);

  const fused = new Map<string, FusedHit>();
  for (const hit of [...lexical, ...dense]) {
    if (fused.has(hit.chunkId)) continue;
    const inLexical = lexicalLeg.found.get(hit.chunkId);
    const inDense = denseLeg.found.get(hit.chunkId);
    const score =
      (1 - weight) * (inLexical?.normalised ?? lexicalLeg.missing) + weight * (inDense?.normalised ?? denseLeg.missing);
    const explain: HitExplain = { fused: score };
    if (inLexical !== undefined) explain.lexical = inLexical;
    if (inDense !== undefined) explain.dense = inDense;
    fused.set(hit.chunkId, { hit, score, explain });
  }
  return [...fused.values()].sort(byScore);
}

/**
 * Reciprocal rank fusion, after Cormack, Clarke and Büttcher (2009): a hit is worth 1 / (60 + rank) in each leg, times
 * the leg's share; here times 61, so that the first of both legs scores 1. A leg that does not have a hit gives nothing.
 *
 * @param denseWeight 0 (lexical alone) to 1 (dense alone)
 */
export function fuseByRank(lexical: readonly IndexHit[], dense: readonly IndexHit[], denseWeight: number): FusedHit[] {
  const fused = new Map<string, FusedHit>();
  const add = (leg: 'lexical' | 'dense', hits: readonly IndexHit[], weight: number): void => {
    hits.forEach((hit, i) => {
      const normalised = (RANK_OFFSET + 1) / (RANK_OFFSET + i + 1);
      const entry = fused.get(hit.chunkId) ?? { hit, score: 0, explain: { fused: 0 } };
      entry.score += weight * normalised;
      entry.explain.fused = entry.score;
      entry.explain[leg] = { rank: i + 1, raw: hit.score, normalised, weight };
      fused.set(hit.chunkId, entry);
    });
  };
  add('lexical', lexical, 1 - denseWeight);
  add('dense', dense, denseWeight);
  return [...fused.values()].sort(byScore);
}

/**
 * What the whole range of a convex score is worth in points of BM25: with it, what has been measured in such points
 * can be added to a fused score.
 */
export function pointsOf(bestLexical: number, denseWeight: number): number {
  const share = Math.min(denseWeight, DEFAULT_DENSE_WEIGHT);
  return Math.max(0, bestLexical) + (share * USUAL_BEST_LEXICAL) / (1 - share);
}

function byScore(a: FusedHit, b: FusedHit): number {
  return b.score - a.score || (a.hit.chunkId < b.hit.chunkId ? -1 : 1);
}

interface PlacedLeg {
  found: Map<string, LegExplain>;
  /** The normalised score of a chunk that the leg does not have. */
  missing: number;
}

function placed(hits: readonly IndexHit[], floor: number, weight: number, limit: number): PlacedLeg {
  const range = (hits[0]?.score ?? 0) - floor;
  const normalise = (score: number): number => (range > 0 ? (score - floor) / range : 1);
  const found = new Map<string, LegExplain>();
  hits.forEach((hit, i) => {
    found.set(hit.chunkId, { rank: i + 1, raw: hit.score, normalised: normalise(hit.score), weight });
  });
  const last = hits.at(-1);
  return { found, missing: last !== undefined && hits.length >= limit ? normalise(last.score) : 0 };
}
