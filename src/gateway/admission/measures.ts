import type { LimitMeasure, Limits, LimitWindow } from '../../spec/limits.ts';

/** One figure of a subject's limits. */
export interface Measure {
  counts: LimitMeasure;
  /** Absent for calls at once. */
  window?: LimitWindow;
  limit: number;
  /** Of a rate, which refills; absent for what is held until it is settled. */
  windowMs?: number;
}

/** Limits made ready to be taken from. */
export interface Measures {
  mode: 'enforce' | 'shadow';
  all: readonly Measure[];
  hasCost: boolean;
  hasTokens: boolean;
}

const WINDOWS_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/**
 * The measures of limits, made once per limits object: limits are replaced, never changed.
 * @returns a function that gives undefined where nothing is limited.
 */
export function createMeasuresOf(): (limits: Limits | undefined) => Measures | undefined {
  const known = new WeakMap<Limits, { measures: Measures | undefined }>();
  return (limits) => {
    if (limits === undefined) return undefined;
    let entry = known.get(limits);
    if (entry === undefined) known.set(limits, (entry = { measures: measuresOf(limits) }));
    return entry.measures;
  };
}

function measuresOf(limits: Limits): Measures | undefined {
  const rate = (counts: LimitMeasure, window: keyof typeof WINDOWS_MS, limit: number | undefined): Measure[] =>
    limit === undefined ? [] : [{ counts, window, limit, windowMs: WINDOWS_MS[window] }];
  const budget = (window: 'day' | 'month', limit: number | undefined): Measure[] =>
    limit === undefined ? [] : [{ counts: 'cost', window, limit }];
  // What stays used up for longest comes first: it is what a refusal should name.
  const all: Measure[] = [
    ...budget('month', limits.budgetMicros),
    ...budget('day', limits.dailyBudgetMicros),
    ...rate('requests', 'day', limits.requestsPerDay),
    ...rate('tokens', 'day', limits.tokensPerDay),
    ...rate('requests', 'hour', limits.requestsPerHour),
    ...rate('tokens', 'hour', limits.tokensPerHour),
    ...rate('requests', 'minute', limits.requestsPerMinute),
    ...rate('tokens', 'minute', limits.tokensPerMinute),
    ...rate('requests', 'second', limits.requestsPerSecond),
    ...rate('tokens', 'second', limits.tokensPerSecond),
    ...(limits.concurrency === undefined ? [] : [{ counts: 'concurrency' as const, limit: limits.concurrency }]),
  ];
  if (all.length === 0) return undefined;
  return {
    mode: limits.shadow === true ? 'shadow' : 'enforce',
    all,
    hasCost: all.some(({ counts }) => counts === 'cost'),
    hasTokens: all.some(({ counts }) => counts === 'tokens'),
  };
}
