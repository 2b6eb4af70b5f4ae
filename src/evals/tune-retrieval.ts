import type { RetrievalSettings } from '../spec/collection.ts';
import { compareEvaluations } from './compare-evaluations.ts';
import { evaluateRetrieval, type EvaluationOrder, type SearchForEvaluation } from './evaluate-retrieval.ts';
import type { GoldenCase } from './golden-sets.ts';
import type { Difference } from './paired-bootstrap.ts';

/** What tuning found. `better` tells whether the choice holds on questions that had no part in it. */
export interface Tuning {
  chosen: Partial<RetrievalSettings>;
  /** nDCG of every setting on the questions that the choice was made on, best first. */
  tried: { settings: Partial<RetrievalSettings>; ndcg: number }[];
  /** nDCG of the choice minus that of the collection's settings, on the other half. */
  heldOut: Difference & { cases: number };
  better: boolean;
}

const WEIGHTS = [0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1];
/** With fewer, either half would say next to nothing. */
export const LEAST_CASES = 20;

/**
 * Looks for the dense weight and the reranker that find most. Half of the questions choose; the other half says whether
 * the choice holds, so that what only fits the questions at hand is not taken for better. A reranker is kept only where
 * it wins.
 */
export async function tuneRetrieval(
  search: SearchForEvaluation,
  order: Omit<EvaluationOrder, 'settings' | 'onProgress'> & {
    current: RetrievalSettings;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<Tuning> {
  const { current, onProgress, cases, ...rest } = order;
  const choosing = cases.filter((_, at) => at % 2 === 0);
  const judging = cases.filter((_, at) => at % 2 === 1);
  const ndcgOf = async (settings: Partial<RetrievalSettings>): Promise<number> =>
    (await evaluateRetrieval(search, { ...rest, cases: choosing, settings })).mean.ndcg;

  const tried: Tuning['tried'] = [];
  const attempt = async (settings: Partial<RetrievalSettings>, steps: number): Promise<void> => {
    tried.push({ settings, ndcg: await ndcgOf(settings) });
    onProgress?.(tried.length, steps);
  };
  const rerankers = rerankersToTry(current);
  const steps = WEIGHTS.length + rerankers.length + 2;
  for (const denseWeight of WEIGHTS) await attempt({ denseWeight, reranker: current.reranker }, steps);
  const weight = best(tried).settings.denseWeight ?? null;
  for (const reranker of rerankers) await attempt({ denseWeight: weight, reranker }, steps);
  const { settings: chosen } = best(tried);

  const evaluated = async (cases_: readonly GoldenCase[], settings: Partial<RetrievalSettings>) =>
    (await evaluateRetrieval(search, { ...rest, cases: cases_, settings })).cases;
  const before = await evaluated(judging, {});
  onProgress?.(steps - 1, steps);
  const { cases: count, differences } = await compareEvaluations(before, await evaluated(judging, chosen));
  onProgress?.(steps, steps);
  return {
    chosen,
    tried: [...tried].sort((a, b) => b.ndcg - a.ndcg),
    heldOut: { ...differences.ndcg, cases: count },
    better: differences.ndcg.mean > 0,
  };
}

/** The first of the best: of settings that find as much, the one tried earlier is the simpler one. */
function best(tried: Tuning['tried']): Tuning['tried'][number] {
  return tried.reduce((found, each) => (each.ndcg > found.ndcg ? each : found));
}

function rerankersToTry({ reranker }: RetrievalSettings): RetrievalSettings['reranker'][] {
  const own: RetrievalSettings['reranker'][] = [{ kind: 'none' }, { kind: 'late-interaction' }];
  return own.filter(({ kind }) => kind !== reranker.kind);
}
