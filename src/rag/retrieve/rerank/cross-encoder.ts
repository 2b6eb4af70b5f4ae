import type { ModelGateway } from '../../../gateway/model-call.ts';
import type { Rerank } from './reranker.ts';

/** Code units of a passage that a model is shown: what it reads is bounded, and so is what is paid. */
const LONGEST_TEXT = 4_000;

/**
 * The share of the retrieval score by place: retrieval is trusted most where it is surest of itself, so a model can
 * bring up what lies deep, and hardly push out an exact match at the top. Places count from 0, before the rerank.
 */
function retrievalShare(place: number): number {
  if (place < 3) return 0.75;
  return place < 10 ? 0.6 : 0.4;
}

/** Has a model read question and passage together, by a route of the gateway, and blends what it says by place. */
export function createCrossEncoder(gateway: Pick<ModelGateway, 'rerank'>, route: string): Rerank {
  return async ({ query, candidates, principal, requestId, signal }) => {
    if (candidates.length === 0) return { scores: [], raw: [] };
    const { answer } = await gateway.rerank({
      requestId,
      route,
      signal,
      // Who may read a collection may have its passages ordered, whichever routes the key may call directly.
      principal: { ...principal, allowedRoutes: [] },
      request: {
        query,
        documents: candidates.map(({ title, content }) =>
          (title === '' ? content : `${title}\n${content}`).slice(0, LONGEST_TEXT),
        ),
      },
    });
    const told = new Map(answer.results.map(({ index, score }) => [index, score]));
    const lowest = Math.min(...told.values());
    const raw = candidates.map((_, at) => told.get(at) ?? lowest);
    const normalised = inUnitRange(raw);
    const scores = candidates.map(({ score }, at) => {
      const share = retrievalShare(at);
      return share * score + (1 - share) * (normalised[at] ?? 0);
    });
    return { scores, raw };
  };
}

/** Probabilities stay as they are; scores on any other scale are placed between the worst and the best. */
function inUnitRange(raw: readonly number[]): number[] {
  const low = Math.min(...raw);
  const high = Math.max(...raw);
  if (low >= 0 && high <= 1) return [...raw];
  return raw.map((score) => (high > low ? (score - low) / (high - low) : 1));
}
