/** Figures of one system on one set, each the mean over its questions. */
export interface Figures {
  hit1: number;
  hit10: number;
  mrr: number;
  ndcg10: number;
  recall10: number;
}

/** Scores ranked document ids, best first, against the relevant ones; relevance is binary. */
export function figuresOf(ranking: readonly string[], relevant: readonly string[]): Figures {
  const wanted = new Set(relevant);
  const ranks = [...new Set(ranking)].flatMap((id, i) => (wanted.has(id) ? [i + 1] : []));
  const inTen = ranks.filter((rank) => rank <= 10);
  const gain = inTen.reduce((sum, rank) => sum + 1 / Math.log2(rank + 1), 0);
  const ideal = relevant.slice(0, 10).reduce((sum, _, i) => sum + 1 / Math.log2(i + 2), 0);
  return {
    hit1: ranks[0] === 1 ? 1 : 0,
    hit10: inTen.length > 0 ? 1 : 0,
    mrr: ranks[0] === undefined ? 0 : 1 / ranks[0],
    ndcg10: ideal === 0 ? 0 : gain / ideal,
    recall10: wanted.size === 0 ? 0 : inTen.length / wanted.size,
  };
}

/** The mean of each figure. */
export function meanOf(all: readonly Figures[]): Figures {
  const mean = (pick: (figures: Figures) => number): number =>
    all.reduce((sum, figures) => sum + pick(figures), 0) / Math.max(1, all.length);
  return {
    hit1: mean((f) => f.hit1),
    hit10: mean((f) => f.hit10),
    mrr: mean((f) => f.mrr),
    ndcg10: mean((f) => f.ndcg10),
    recall10: mean((f) => f.recall10),
  };
}

/** The value below which the given share of the values lies; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
