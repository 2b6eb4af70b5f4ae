import type { CaseMetrics } from './evaluate-retrieval.ts';
import { pairedBootstrap, type Difference } from './paired-bootstrap.ts';
import { RANKING_METRICS, type RankingMetrics } from './ranking-metrics.ts';

/** How one evaluation differs from another over the cases that both have. */
export interface Comparison {
  cases: number;
  differences: Record<keyof RankingMetrics, Difference>;
}

/** `after - before` per metric, each with its 95% interval. */
export async function compareEvaluations(
  before: readonly CaseMetrics[],
  after: readonly CaseMetrics[],
): Promise<Comparison> {
  const known = new Map(before.map(({ id, metrics }) => [id, metrics]));
  const pairs = after.flatMap(({ id, metrics }) => {
    const earlier = known.get(id);
    return earlier === undefined ? [] : [{ earlier, metrics }];
  });
  const differences: Partial<Record<keyof RankingMetrics, Difference>> = {};
  for (const name of RANKING_METRICS) {
    differences[name] = await pairedBootstrap(pairs.map(({ earlier, metrics }) => metrics[name] - earlier[name]));
  }
  const none = { mean: 0, low: 0, high: 0 };
  const of = (name: keyof RankingMetrics): Difference => differences[name] ?? none;
  return {
    cases: pairs.length,
    differences: {
      precision: of('precision'),
      recall: of('recall'),
      f1: of('f1'),
      hit1: of('hit1'),
      hit: of('hit'),
      mrr: of('mrr'),
      ndcg: of('ndcg'),
    },
  };
}
