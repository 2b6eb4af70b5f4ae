import type { Clock } from '../../lib/clock.ts';
import type { HitExplain } from '../../spec/document.ts';
import type { SekishoError } from '../../spec/errors.ts';
import type { Candidates } from './find-candidates.ts';
import { lostStep } from './lost-step.ts';
import type { Passage } from './merge-passages.ts';
import type { RetrieveRequest, SearchPlan } from './plan-search.ts';
import type { Reranker } from './rerank/reranker.ts';
import { scoreFactors } from './score-factors.ts';

/** A passage together with the chunk in it that was found. */
export interface ReadCandidate {
  passage: Passage;
  chunkContent: string;
}

/** Passages in their last order, and the error of a reranker whose upstream failed: then the order is that of the legs. */
export interface Ordered {
  passages: Passage[];
  degradedBy?: SekishoError;
}

/**
 * Reranks candidates that were read, best first, and multiplies their scores with what age and trust make of them. That
 * comes last: no reranker lifts what its tier or its age has pressed down.
 */
export async function orderPassages(
  read: readonly ReadCandidate[],
  context: {
    request: RetrieveRequest;
    plan: SearchPlan;
    candidates: Pick<Candidates, 'points'>;
    reranker: Reranker | undefined;
    clock: Clock;
  },
): Promise<Ordered> {
  const { request, plan, reranker } = context;
  const nowMs = context.clock.nowMs();
  const weighed = ({ metadata, score }: Passage): { score: number; factors?: NonNullable<HitExplain['factors']> } => {
    const factors = scoreFactors(plan.settings, metadata, nowMs);
    if (factors === undefined) return { score };
    return { score: score * (factors.timeDecay ?? 1) * (factors.trust ?? 1), factors };
  };
  // A reranker looks at few: at those that can still come first.
  const hopeful = read
    .map((each) => ({ each, score: weighed(each.passage).score }))
    .sort((a, b) => b.score - a.score)
    .map(({ each }) => each);
  let passages = hopeful.map(({ passage }) => passage);
  let degradedBy: SekishoError | undefined;
  if (reranker !== undefined && read.length > 0) {
    try {
      passages = await reranked(hopeful, reranker, { request, ...context.candidates });
    } catch (thrown) {
      degradedBy = lostStep(thrown);
    }
  }
  const last = passages.map((passage) => {
    const { score, factors } = weighed(passage);
    return factors === undefined ? passage : { ...passage, score, explain: { ...passage.explain, factors } };
  });
  return { passages: byScore(last), ...(degradedBy !== undefined && { degradedBy }) };
}

async function reranked(
  read: readonly ReadCandidate[],
  { kind, depth, rerank }: Reranker,
  { request, points }: { request: RetrieveRequest; points?: number },
): Promise<Passage[]> {
  const looked = read.slice(0, depth);
  const { principal, requestId, signal, query } = request;
  const { scores, raw } = await rerank({
    query,
    candidates: looked.map(({ passage: { title, score }, chunkContent }) => ({ title, content: chunkContent, score })),
    ...(points !== undefined && { points }),
    principal,
    requestId,
    signal,
  });
  const rescored = looked.map(({ passage }, at) => ({ passage, at, score: scores[at] ?? passage.score }));
  const ordered = byScore(rescored).map(({ passage, at, score }, place) => {
    const told = { kind, raw: raw[at] ?? 0, rankBefore: at + 1, rankAfter: place + 1 };
    return { ...passage, score, explain: { ...passage.explain, rerank: told } };
  });
  // What was not looked at stays below what was, in the order it had.
  const floor = ordered.at(-1)?.score ?? 0;
  const deeper = read.slice(depth);
  const top = deeper.reduce((most, { passage }) => Math.max(most, passage.score), 0);
  const rest = deeper.map(({ passage }) => ({
    ...passage,
    score: top > 0 ? Math.min(floor, (passage.score / top) * floor) : 0,
  }));
  return [...ordered, ...rest];
}

/** Equal scores keep their order. */
function byScore<P extends { score: number }>(passages: readonly P[]): P[] {
  return passages.toSorted((a, b) => b.score - a.score);
}
