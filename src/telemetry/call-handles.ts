import type { LedgerEntry } from '../spec/ledger.ts';
import { createBoundedLabel, OTHER } from './bounded-labels.ts';
import type { Count, Spread } from './call-metrics.ts';
import type { Metrics } from './metrics.ts';

/** What OpenTelemetry calls our operations (opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai). */
export const OPERATION_NAMES: Readonly<Record<LedgerEntry['operation'], string>> = {
  chat: 'chat',
  embedding: 'embeddings',
  rerank: 'rerank',
  count: 'count',
};

/** What OpenTelemetry calls the vendors behind our wires; a wire that is not listed goes by its own name. */
const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'gcp.gemini',
  bedrock: 'aws.bedrock',
  cohere: 'cohere',
};

/** The vendor of a wire in OpenTelemetry's words. */
export function providerName(wire: string): string {
  return PROVIDER_NAMES[wire] ?? wire;
}

/** Everything that a settled call of one route, target and operation counts, ready to be added to. */
export interface CallHandles {
  outcome: Record<LedgerEntry['outcome'], Count>;
  latency: Spread;
  inputTokens: Count;
  outputTokens: Count;
  cost: Count;
  unpriced: Count;
  /** The duration of calls that ended so; '' is no error. */
  duration: (errorCode: string) => Spread;
  firstToken: Spread;
  inputSpread: Spread;
  outputSpread: Spread;
}

const MAX_NAMES = 200;
const MAX_HANDLES = 1_000;

type GenAi = Omit<CallHandles, 'outcome' | 'latency' | 'inputTokens' | 'outputTokens' | 'cost' | 'unpriced'>;

/**
 * Finds the handles of a call. Routes, targets and models beyond the bounds are counted together, whatever
 * names callers make up.
 */
export function createCallHandles(metrics: Metrics): (entry: LedgerEntry) => CallHandles {
  const boundRoute = createBoundedLabel(MAX_NAMES);
  const boundTarget = createBoundedLabel(MAX_NAMES);
  const boundModel = createBoundedLabel(MAX_NAMES);
  /** By operation and route, then by target: a target has one wire and one model. */
  const byRoute = new Map<string, Map<string, CallHandles>>();
  const pairs = new Map<string, Omit<CallHandles, keyof GenAi>>();
  const genAis = new Map<string, GenAi>();
  const unpriced = new Map<string, Count>();

  function pairOf(route: string, target: string): Omit<CallHandles, keyof GenAi> {
    const name = JSON.stringify([route, target]);
    const known = pairs.get(name);
    if (known !== undefined) return known;
    const pair = {
      outcome: {
        ok: metrics.requests([route, target, 'ok']),
        error: metrics.requests([route, target, 'error']),
        aborted: metrics.requests([route, target, 'aborted']),
      },
      latency: metrics.latency([route, target]),
      inputTokens: metrics.tokens([route, target, 'input']),
      outputTokens: metrics.tokens([route, target, 'output']),
      cost: metrics.cost([route, target]),
      unpriced: unpricedOf(target),
    };
    pairs.set(name, pair);
    return pair;
  }

  function unpricedOf(target: string): Count {
    const count = unpriced.get(target) ?? metrics.unpriced([target]);
    unpriced.set(target, count);
    return count;
  }

  function genAiOf(operation: LedgerEntry['operation'], wire: string, model: string): GenAi {
    const labels = [OPERATION_NAMES[operation], providerName(wire), model];
    const name = JSON.stringify(labels);
    const known = genAis.get(name);
    if (known !== undefined) return known;
    // Error codes are those of our own table, so that their number is bounded.
    const durations = new Map<string, Spread>();
    const genAi: GenAi = {
      duration: (errorCode) => {
        let spread = durations.get(errorCode);
        if (spread === undefined) {
          spread = metrics.genAiDuration([...labels, errorCode]);
          durations.set(errorCode, spread);
        }
        return spread;
      },
      firstToken: metrics.genAiFirstToken(labels),
      inputSpread: metrics.genAiTokens([...labels, 'input']),
      outputSpread: metrics.genAiTokens([...labels, 'output']),
    };
    genAis.set(name, genAi);
    return genAi;
  }

  return (entry) => {
    const place = entry.operation === 'chat' ? entry.route : `${entry.operation} ${entry.route}`;
    const known = byRoute.get(place)?.get(entry.target);
    if (known !== undefined) return known;
    const full = pairs.size >= MAX_HANDLES;
    const pair = full ? pairOf(OTHER, OTHER) : pairOf(boundRoute(entry.route), boundTarget(entry.target));
    const genAi = genAiOf(entry.operation, entry.wire, full ? OTHER : boundModel(entry.upstreamModel));
    const handles: CallHandles = { ...pair, ...genAi };
    if (!full && byRoute.size < MAX_HANDLES) {
      const targets = byRoute.get(place) ?? new Map<string, CallHandles>();
      if (targets.size < MAX_NAMES) byRoute.set(place, targets.set(entry.target, handles));
    }
    return handles;
  };
}
