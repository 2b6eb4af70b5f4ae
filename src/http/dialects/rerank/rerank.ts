import { isJsonObject, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { RerankRequest, RerankResult } from '../../../spec/rerank.ts';
import { requireString, wrong } from '../read-request.ts';

const MAX_DOCUMENTS = 10_000;

const KNOWN = new Set(['model', 'query', 'documents', 'top_n', 'return_documents', 'user', 'truncation']);

/** A rerank request as decoded, and the documents as they came, for an answer that repeats them. */
export interface DecodedRerank {
  route: string;
  request: RerankRequest;
  endUser?: string;
  /** Present where the caller wants the documents back. */
  returned?: readonly JsonValue[];
}

/**
 * A rerank request in the shape that Cohere (docs.cohere.com/reference/rerank) and Jina (jina.ai/reranker) share.
 * @throws SekishoError invalid_request, also for fields that would change what is ranked and cannot be carried.
 */
export function decodeRerankRequest(json: JsonObject): DecodedRerank {
  const route = requireString(json['model'], 'model');
  if (route === '' || route.length > 256) throw wrong('model', 'a model name is required');
  const query = requireString(json['query'], 'query');
  if (query.trim() === '') throw wrong('query', 'must not be empty');
  const given = json['documents'];
  if (!Array.isArray(given) || given.length === 0) throw wrong('documents', 'a list of texts is required');
  if (given.length > MAX_DOCUMENTS) throw wrong('documents', `more than ${MAX_DOCUMENTS}`);
  const topN = json['top_n'] ?? undefined;
  if (topN !== undefined && !(typeof topN === 'number' && Number.isInteger(topN) && topN >= 1)) {
    throw wrong('top_n', 'must be a whole number from 1');
  }
  const returns = json['return_documents'] ?? false;
  if (typeof returns !== 'boolean') throw wrong('return_documents', 'must be true or false');
  for (const [name, value] of Object.entries(json)) {
    if (!KNOWN.has(name) && value !== undefined && value !== null) {
      throw wrong(name.slice(0, 60), 'is not supported here; remove it');
    }
  }
  const endUser = stringAt(json, 'user');
  const user = endUser === undefined ? {} : { endUser };
  return {
    route,
    request: { query, documents: given.map(textOf), ...(topN !== undefined && { topN }), ...user },
    ...user,
    ...(returns && { returned: given }),
  };
}

/** The answer in the same shape: the best first, with usage in the words of either vendor. */
export function encodeRerankResult(result: RerankResult, { route, request, returned }: DecodedRerank): JsonObject {
  const { usage } = result;
  const total = usage.inputTokens + usage.outputTokens;
  return {
    id: result.id,
    model: result.model === '' ? route : result.model,
    results: result.results.slice(0, request.topN).map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(returned && { document: documentOf(returned[index]) }),
    })),
    usage: { prompt_tokens: usage.inputTokens, total_tokens: total },
    meta: {
      billed_units: usage.searchUnits === undefined ? { input_tokens: total } : { search_units: usage.searchUnits },
    },
  };
}

function textOf(document: JsonValue, index: number): string {
  const text = isJsonObject(document) ? document['text'] : document;
  if (typeof text !== 'string') throw wrong(`documents[${index}]`, 'must be a text or an object with a text');
  return text;
}

function documentOf(document: JsonValue | undefined): JsonValue {
  return typeof document === 'string' ? { text: document } : (document ?? null);
}
