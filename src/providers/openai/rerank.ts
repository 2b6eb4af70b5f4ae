import { objectAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import type { RerankCall } from '../../ports/provider.ts';
import { newId } from '../../spec/ids.ts';
import type { RerankResult } from '../../spec/rerank.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { estimateEmbeddingUsage } from '../kit/estimate-usage.ts';
import { rerankResults } from '../kit/rerank-results.ts';
import { tokensAt } from '../kit/tokens-at.ts';
import { traceHeader } from '../kit/trace-header.ts';
import type { Upstream } from '../kit/upstream.ts';

/**
 * What an endpoint calls the texts: `documents` at Jina, vLLM, Infinity and version 1 of Cohere, which answer an object;
 * `texts` at Text Embeddings Inference, which has one model, takes no number of results, and answers a list.
 */
export type RerankShape = 'documents' | 'texts';

/**
 * Reranks at `url` in the shape of the endpoint.
 * @throws SekishoError upstream_broken where the answer holds no results for these documents.
 */
export async function openAiRerank(
  upstream: Upstream,
  { url, shape = 'documents' }: { url: string; shape?: RerankShape | undefined },
  call: RerankCall,
): Promise<RerankResult> {
  const { model, target, signal } = call;
  const { query, documents, topN } = call.request;
  const asked =
    shape === 'texts'
      ? { query, texts: documents, truncate: true }
      : { model, query, documents, ...(topN !== undefined && { top_n: topN }) };
  const body = JSON.stringify(asked);
  const sent = { url, body, target, signal, headers: traceHeader(call) };
  const json = shape === 'texts' ? listed(await upstream.text(sent)) : (await upstream.json(sent)).json;
  const results = rerankResults(json, call);
  const told = objectAt(json, 'usage') ?? {};
  const inputTokens = tokensAt(told, 'total_tokens') ?? tokensAt(told, 'prompt_tokens');
  const searchUnits = tokensAt(objectAt(objectAt(json, 'meta') ?? {}, 'billed_units') ?? {}, 'search_units');
  const usage: Usage =
    inputTokens === undefined && searchUnits === undefined
      ? await estimateEmbeddingUsage([query, ...documents])
      : { ...noUsage('reported'), inputTokens: inputTokens ?? 0, ...(searchUnits !== undefined && { searchUnits }) };
  return { id: stringAt(json, 'id') ?? newId('rerank'), model: stringAt(json, 'model') ?? model, results, usage };
}

/** A list of results in the place where the other endpoints have it. */
function listed(text: string): JsonObject {
  const results = parseJson(text);
  return Array.isArray(results) ? { results } : {};
}
