import { arrayAt, objectAt, type JsonObject, type JsonValue } from '../../lib/json.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { addInputs } from './add-inputs.ts';
import { estimateEmbeddingUsage } from '../kit/estimate-usage.ts';
import { findUsage } from './usage.ts';

/** The wire takes no more texts in one call. */
export const MAX_BATCH = 96;

/** The body of a call for these texts; without a purpose they are taken to be documents, as the wire wants one. */
export function embeddingBody(call: EmbeddingCall, texts: readonly string[]): string {
  const { dimensions, purpose } = call.request;
  return JSON.stringify({
    model: call.model,
    texts,
    input_type: purpose === 'query' ? 'search_query' : 'search_document',
    embedding_types: ['float'],
    ...(dimensions !== undefined && { output_dimension: dimensions }),
  });
}

/** The answers to all calls that one request took, in order. @throws SekishoError upstream_broken. */
export async function embeddingAnswer(call: EmbeddingCall, answers: readonly JsonObject[]): Promise<EmbeddingAnswer> {
  const vectors = answers.flatMap((answer) => {
    // Version 1 of the wire, which some gateways still speak, has no name for the kind.
    const given = objectAt(answer, 'embeddings');
    return (given === undefined ? arrayAt(answer, 'embeddings') : arrayAt(given, 'float')).map(vectorOf);
  });
  if (vectors.length !== call.request.input.length || vectors.some((vector) => vector.length === 0)) {
    const cause = new Error('the upstream left out embeddings');
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const usage =
    addInputs(answers.map((answer) => findUsage(objectAt(answer, 'meta')))) ??
    (await estimateEmbeddingUsage(call.request.input));
  return { usage, result: () => ({ model: call.model, vectors, usage }) };
}

function vectorOf(vector: JsonValue): Float32Array {
  return Array.isArray(vector) ? Float32Array.from(vector, Number) : new Float32Array();
}
