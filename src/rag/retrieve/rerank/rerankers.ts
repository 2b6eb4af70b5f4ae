import type { ModelGateway } from '../../../gateway/model-call.ts';
import type { StaticTextEncoder, TextAnalyser } from '../../../ports/text-analyser.ts';
import type { RerankerSettings } from '../../../spec/collection.ts';
import { createCrossEncoder } from './cross-encoder.ts';
import { createLateInteraction, type MatchTokens } from './late-interaction.ts';
import { createMmr } from './mmr.ts';
import type { Reranker } from './reranker.ts';
import { createTermProximity } from './term-proximity.ts';

export interface RerankersDeps {
  analyser: Pick<TextAnalyser, 'terms'>;
  encoder: Pick<StaticTextEncoder, 'encode'>;
  matchTokens: MatchTokens;
  gateway: Pick<ModelGateway, 'rerank'>;
}

/** The reranker that settings name; undefined for none. */
export type Rerankers = (settings: RerankerSettings) => Reranker | undefined;

/** How many candidates each kind looks at: what it costs, and how deep it was seen to be of use. */
const DEPTH = { 'late-interaction': 20, mmr: 50, 'cross-encoder': 30 };

/** Makes rerankers by their settings. */
export function createRerankers(deps: RerankersDeps): Rerankers {
  const lateInteraction = createLateInteraction({
    matchTokens: deps.matchTokens,
    termProximity: createTermProximity((text) => deps.analyser.terms(text)),
  });
  return (settings) => {
    const { kind } = settings;
    switch (kind) {
      case 'none':
        return undefined;
      case 'late-interaction':
        return { kind, depth: DEPTH[kind], rerank: lateInteraction };
      case 'mmr': {
        const rerank = createMmr((text) => deps.encoder.encode(text), settings.lambda);
        return { kind, depth: DEPTH[kind], rerank };
      }
      case 'cross-encoder':
        return { kind, depth: DEPTH[kind], rerank: createCrossEncoder(deps.gateway, settings.route) };
      default:
        return kind satisfies never;
    }
  };
}
