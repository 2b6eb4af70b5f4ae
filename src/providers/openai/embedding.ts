import { arrayAt, isJsonObject, numberAt, stringAt, type JsonObject } from '../../lib/json.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../ports/provider.ts';
import type { EmbeddingResult } from '../../spec/embedding.ts';
import { SekishoError } from '../../spec/errors.ts';
import { estimateEmbeddingUsage } from '../kit/estimate-usage.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import type { JsonAnswer } from '../kit/upstream.ts';
import { findUsage } from './usage.ts';

/** The body of an embedding call: the caller's own with another model name, or one made from the vocabulary. */
export function embeddingBody(call: EmbeddingCall): string {
  if (call.native?.wire === 'openai') return spliceJson(call.native.text, { model: JSON.stringify(call.model) });
  const { input, dimensions, endUser } = call.request;
  return JSON.stringify({
    model: call.model,
    input,
    // Base64 carries a vector in a fifth of the bytes of decimal text.
    encoding_format: 'base64',
    ...(dimensions !== undefined && { dimensions }),
    ...(endUser !== undefined && { user: endUser }),
  });
}

/** The answer to an embedding call, decoded when asked for. @throws SekishoError where it holds no embeddings. */
export async function embeddingAnswer(call: EmbeddingCall, { json, text }: JsonAnswer): Promise<EmbeddingAnswer> {
  if (!Array.isArray(json['data'])) {
    const { error } = json;
    if (error !== undefined && error !== null) throw errorInAnswer(call.target, error);
    const cause = new Error(`no embeddings: ${text.slice(0, 500)}`);
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const usage = findUsage(json) ?? (await estimateEmbeddingUsage(call.request.input));
  return {
    usage,
    ...(call.native?.wire === 'openai' && { native: { wire: 'openai' as const, text } }),
    result: () => decodeEmbeddings(json, call, usage),
  };
}

function decodeEmbeddings(json: JsonObject, call: EmbeddingCall, usage: EmbeddingResult['usage']): EmbeddingResult {
  const broken = (why: string): SekishoError =>
    new SekishoError('upstream_broken', { values: { target: call.target }, cause: new Error(why) });
  const vectors: (Float32Array | undefined)[] = call.request.input.map(() => undefined);
  arrayAt(json, 'data').forEach((item, place) => {
    if (isJsonObject(item)) vectors[numberAt(item, 'index') ?? place] = decodeVector(item);
  });
  const found = vectors.filter((vector) => vector !== undefined);
  if (found.length !== call.request.input.length) throw broken('the upstream left out embeddings');
  return { model: stringAt(json, 'model') ?? call.model, vectors: found, usage };
}

/** A vector in either of the two forms of the wire: decimal numbers, or base64 of little-endian floats. */
function decodeVector(item: JsonObject): Float32Array | undefined {
  const { embedding } = item as { embedding?: unknown };
  if (typeof embedding === 'string') {
    const bytes = Buffer.from(embedding, 'base64');
    return new Float32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 4));
  }
  return Array.isArray(embedding) ? Float32Array.from(embedding, Number) : undefined;
}
