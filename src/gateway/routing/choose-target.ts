import type { Price } from '../../spec/money.ts';
import type { PlannedGroup, ResolvedTarget } from './plan.ts';
import { rendezvousScore } from './rendezvous.ts';

/** What a choice goes by. */
export interface ChoiceDeps {
  /** Expected milliseconds until an answer; less is better. */
  expectedMs: (target: ResolvedTarget) => number;
  inFlight: (target: ResolvedTarget) => number;
  /** Whether a call would not have to wait for its place. */
  isFree: (target: ResolvedTarget) => boolean;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Tokens that a call is estimated to use. */
export interface TokenEstimate {
  inputTokens: number;
  maxOutputTokens: number;
}

type Eligible = (target: ResolvedTarget) => boolean;

/** Chooses one of the eligible targets of a group as its strategy says; undefined where none is. */
export type ChooseTarget = (
  group: PlannedGroup,
  eligible: Eligible,
  estimate?: () => TokenEstimate,
) => ResolvedTarget | undefined;

/** Used where nobody says how large a call is: what prices are compared by. */
const USUAL_CALL: TokenEstimate = { inputTokens: 1_000, maxOutputTokens: 300 };

/**
 * The strategies of groups:
 * - ordered: the first; among the places of one fleet as `latency`;
 * - weighted: at random by weight;
 * - least-busy: fewest calls under way for its weight;
 * - latency: two at random by weight, the one that is expected to answer sooner (Mitzenmacher, "The Power of Two
 *   Choices in Randomized Load Balancing", 2001; Finagle's P2C with EWMA);
 * - cheapest: least money for the estimate, without a price last;
 * - sticky: highest rendezvous score, so that a target that leaves moves its own share of callers and no other.
 *
 * A full target is passed over while another one has a free place, except where the order is a preference.
 */
export function createChooseTarget(deps: ChoiceDeps): ChooseTarget {
  const { random } = deps;

  function least(targets: readonly ResolvedTarget[], eligible: Eligible, cost: (target: ResolvedTarget) => number) {
    let best: ResolvedTarget | undefined;
    let bestCost = Infinity;
    for (const target of targets) {
      if (!eligible(target)) continue;
      const own = cost(target);
      if (best === undefined || own < bestCost) {
        best = target;
        bestCost = own;
      }
    }
    return best;
  }

  /** One at random by weight, leaving out `other`. Weights of 0 count only where there is nothing else. */
  function drawn(targets: readonly ResolvedTarget[], eligible: Eligible, other?: ResolvedTarget) {
    let total = 0;
    let spare: ResolvedTarget | undefined;
    for (const target of targets) {
      if (target === other || !eligible(target)) continue;
      total += target.weight;
      spare ??= target;
    }
    let rest = random() * total;
    if (total > 0) {
      for (const target of targets) {
        if (target === other || target.weight === 0 || !eligible(target)) continue;
        spare = target;
        rest -= target.weight;
        if (rest < 0) return target;
      }
    }
    return spare;
  }

  function betterOfTwo(targets: readonly ResolvedTarget[], eligible: Eligible) {
    const one = drawn(targets, eligible);
    const two = one && drawn(targets, eligible, one);
    if (one === undefined || two === undefined) return one;
    return deps.expectedMs(two) < deps.expectedMs(one) ? two : one;
  }

  /** The preferred target itself, or the better of two of its places where it has several. */
  function placeOf(preferred: ResolvedTarget | undefined, group: PlannedGroup, eligible: Eligible) {
    if (preferred === undefined || preferred.key === preferred.name) return preferred;
    return betterOfTwo(group.targets, (target) => target.name === preferred.name && eligible(target));
  }

  function free(group: PlannedGroup, eligible: Eligible, choose: (eligible: Eligible) => ResolvedTarget | undefined) {
    if (group.targets.length === 1) return choose(eligible);
    return choose((target) => deps.isFree(target) && eligible(target)) ?? choose(eligible);
  }

  return (group, eligible, estimate) => {
    const { targets, strategy } = group;
    switch (strategy) {
      case 'ordered':
        return placeOf(targets.find(eligible), group, eligible);
      case 'weighted':
        return free(group, eligible, (each) => drawn(targets, each));
      case 'least-busy':
        return free(group, eligible, (each) =>
          least(targets, each, (target) => (deps.inFlight(target) + 1) / Math.max(target.weight, 1e-9)),
        );
      case 'latency':
        return free(group, eligible, (each) => betterOfTwo(targets, each));
      case 'cheapest': {
        const tokens = estimate?.() ?? USUAL_CALL;
        return placeOf(
          least(targets, eligible, (target) => moneyFor(tokens, target.price)),
          group,
          eligible,
        );
      }
      case 'sticky': {
        const { affinity } = group;
        if (affinity === undefined) return free(group, eligible, (each) => drawn(targets, each));
        return least(targets, eligible, (target) => -rendezvousScore(affinity, target.key, target.weight));
      }
      default:
        return strategy satisfies never;
    }
  };
}

/** Money for the tokens, for comparison only; a target without a price comes last. */
function moneyFor(tokens: TokenEstimate, price: Price | undefined): number {
  if (price === undefined) return Number.MAX_VALUE;
  return tokens.inputTokens * price.inputPerMillion + tokens.maxOutputTokens * price.outputPerMillion;
}
