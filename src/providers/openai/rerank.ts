import { objectAt, stringAt } from '../../lib/json.ts';
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
 * Reranks at `url` in the shape that Jina, vLLM, Text Embeddings Inference and version 1 of Cohere share.
 * @throws SekishoError upstream_broken where the answer holds no results for these documents.
 */
export async function openAiRerank(upstream: Upstream, url: string, call: RerankCall): Promise<RerankResult> {
  const { model, target, signal } = call;
  const { query, documents, topN } = call.request;
  const body = JSON.stringify({ model, query, documents, ...(topN !== undefined && { top_n: topN }) });
  const { json } = await upstream.json({ url, body, target, signal, headers: traceHeader(call) });
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
