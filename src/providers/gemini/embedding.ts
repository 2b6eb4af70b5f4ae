import { arrayAt, isJsonObject, numberAt, objectAt, type JsonObject } from '../../lib/json.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../ports/provider.ts';
import type { EmbeddingResult } from '../../spec/embedding.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { estimateEmbeddingUsage } from '../kit/estimate-usage.ts';
import { fullName } from './model-name.ts';

/** The wire takes no more inputs in one call. */
export const MAX_BATCH = 100;

/** The body of a call for these inputs: one text alone, several in a batch. */
export function embeddingBody(call: EmbeddingCall, inputs: readonly string[]): { method: string; body: string } {
  const { dimensions, purpose } = call.request;
  const requests = inputs.map((text) => ({
    model: fullName(call.model),
    content: { parts: [{ text }] },
    ...(purpose !== undefined && { taskType: purpose === 'query' ? 'RETRIEVAL_QUERY' : 'RETRIEVAL_DOCUMENT' }),
    ...(dimensions !== undefined && { outputDimensionality: dimensions }),
  }));
  return requests.length === 1
    ? { method: 'embedContent', body: JSON.stringify(requests[0]) }
    : { method: 'batchEmbedContents', body: JSON.stringify({ requests }) };
}

/** The answers to all calls that one request took, in order. @throws SekishoError upstream_broken. */
export async function embeddingAnswer(call: EmbeddingCall, answers: readonly JsonObject[]): Promise<EmbeddingAnswer> {
  const vectors = answers.flatMap((answer) => {
    const one = objectAt(answer, 'embedding');
    return (one === undefined ? arrayAt(answer, 'embeddings') : [one]).filter(isJsonObject).map(vectorOf);
  });
  if (vectors.length !== call.request.input.length || vectors.some((vector) => vector.length === 0)) {
    const cause = new Error('the upstream left out embeddings');
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const usage = await usageOf(call, answers);
  return { usage, result: (): EmbeddingResult => ({ model: call.model, vectors, usage }) };
}

function vectorOf(embedding: JsonObject): Float32Array {
  return Float32Array.from(arrayAt(embedding, 'values'), Number);
}

/** Newer models report; of others the tokens are counted here. */
async function usageOf(call: EmbeddingCall, answers: readonly JsonObject[]): Promise<Usage> {
  const counts = answers.map((answer) => numberAt(objectAt(answer, 'usageMetadata') ?? {}, 'promptTokenCount'));
  const known = counts.filter((count) => count !== undefined);
  if (known.length < counts.length) return estimateEmbeddingUsage(call.request.input);
  return { ...noUsage('reported'), inputTokens: known.reduce((sum, count) => sum + Math.max(0, count), 0) };
}
