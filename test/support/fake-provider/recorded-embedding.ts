import { stringAt, type JsonObject } from '../../../src/lib/json.ts';

const DEFAULT_DIMENSIONS = 8;

/** The answer of POST /v1/embeddings: float arrays, or base64 of little-endian float32 where asked for. */
export function recordedEmbedding(request: JsonObject): string {
  const given = request['input'];
  const inputs = Array.isArray(given) ? given.map((item) => (typeof item === 'string' ? item : '')) : [String(given)];
  const dimensions = typeof request['dimensions'] === 'number' ? request['dimensions'] : DEFAULT_DIMENSIONS;
  const base64 = stringAt(request, 'encoding_format') === 'base64';
  const tokens = inputs.reduce((sum, input) => sum + Math.max(1, Math.ceil(input.length / 4)), 0);
  return JSON.stringify({
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = fakeVector(input, dimensions);
      return {
        object: 'embedding',
        index,
        embedding: base64 ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector),
      };
    }),
    model: stringAt(request, 'model') ?? 'text-embedding-3-small',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

/** A unit vector that depends on nothing but the text. */
export function fakeVector(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (let at = 0; at < dimensions; at++) vector[at] = Math.sin(at + 1) / 4;
  for (let at = 0; at < text.length; at++) {
    const slot = at % dimensions;
    vector[slot] = (vector[slot] ?? 0) + (text.charCodeAt(at) % 97) / 97;
  }
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
