import { arrayAt, isJsonObject, numberAt, type JsonObject } from '../../lib/json.ts';
import type { RerankCall } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { RerankResult } from '../../spec/rerank.ts';

/**
 * The results in the shape that Cohere, Jina and vLLM share, the best first and no more than were wanted.
 * @throws SekishoError upstream_broken where there are none, or one points at no document or at one twice.
 */
export function rerankResults(json: JsonObject, call: RerankCall): RerankResult['results'] {
  const { documents, topN } = call.request;
  const given = Array.isArray(json['results']) ? arrayAt(json, 'results') : arrayAt(json, 'data');
  const results = given.filter(isJsonObject).map((each) => ({
    index: numberAt(each, 'index') ?? -1,
    score: numberAt(each, 'relevance_score') ?? numberAt(each, 'score') ?? Number.NaN,
  }));
  const places = new Set(results.map(({ index }) => index));
  const sound =
    results.length > 0 &&
    places.size === results.length &&
    results.every(({ index, score }) => documents[index] !== undefined && !Number.isNaN(score));
  if (!sound && documents.length > 0) {
    const cause = new Error(`no results of a rerank: ${JSON.stringify(json).slice(0, 500)}`);
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  return results.sort((left, right) => right.score - left.score).slice(0, topN ?? documents.length);
}
