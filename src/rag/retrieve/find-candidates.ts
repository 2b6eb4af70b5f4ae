import type { SekishoError } from '../../spec/errors.ts';
import { fuse, fuseByRank, pointsOf, type FusedHit } from './fuse.ts';
import { fuseQueries } from './fuse-queries.ts';
import type { RetrieveRequest, SearchPlan } from './plan-search.ts';
import { searchLegs, type LegHits, type LegTimings, type SearchLegsDeps, type Timed } from './search-legs.ts';

/** What the legs of all queries found, fused into one order. */
export interface Candidates {
  fused: FusedHit[];
  /** What each query found, in the order of the plan. */
  found: readonly LegHits[];
  /** See pointsOf; absent where scores are of ranks. */
  points?: number;
  degradedBy?: SekishoError;
}

/** Searches every query of the plan in both legs at once, and fuses: the legs of a query first, then the queries. */
export async function findCandidates(
  deps: SearchLegsDeps,
  { principal, requestId, signal }: Pick<RetrieveRequest, 'principal' | 'requestId' | 'signal'>,
  plan: SearchPlan,
  timed: Timed<keyof LegTimings | 'fuseMs'>,
): Promise<Candidates> {
  const { ref, limit, searches, settings, denseWeight } = plan;
  const embed = { principal, requestId, route: plan.embeddingRoute, signal };
  const found = await Promise.all(
    plan.queries.map(({ text, legs }) => searchLegs(deps, { ref, text, legs, searches, embed }, timed)),
  );
  const degradedBy = found.find((each) => each.degradedBy !== undefined)?.degradedBy;
  const fused = await timed('fuseMs', () =>
    fuseQueries(
      plan.queries.map(({ text, weight, legs }, at) => {
        const { lexical, dense, degradedBy: without } = found[at] ?? { lexical: [], dense: [] };
        const share = without === undefined ? (legs.lexical ? denseWeight : 1) : 0;
        const hits =
          settings.fusion === 'rrf'
            ? fuseByRank(lexical, dense, share)
            : fuse(lexical, dense, { denseWeight: share, limit });
        return { query: text, weight, hits };
      }),
    ),
  );
  const best = found[0]?.lexical[0]?.score ?? 0;
  return {
    fused,
    found,
    ...(settings.fusion === 'convex' && { points: pointsOf(best, denseWeight) }),
    ...(degradedBy !== undefined && { degradedBy }),
  };
}
