import { arrayAt, isJsonObject, stringAt, type JsonObject, type JsonValue } from '../../lib/json.ts';

/** What a model takes and gives, as its metadata says (/v2/models/<m>). */
export interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
}

/** The tensors under `key` of metadata or of an answer. */
export function tensorsIn(json: JsonObject, key: 'inputs' | 'outputs'): (Tensor & { data: JsonValue[] })[] {
  return arrayAt(json, key)
    .filter(isJsonObject)
    .map((each) => ({
      name: stringAt(each, 'name') ?? '',
      datatype: stringAt(each, 'datatype') ?? '',
      shape: arrayAt(each, 'shape').map(Number),
      data: arrayAt(each, 'data'),
    }));
}

/** Texts as a tensor of the input's rank: the first dimension counts them, the others are 1. */
export function textTensor(input: Tensor, texts: readonly string[]): JsonObject {
  const shape =
    input.shape.length === 0 ? [texts.length] : input.shape.map((_, place) => (place === 0 ? texts.length : 1));
  return { name: input.name, datatype: 'BYTES', shape, data: [...texts] };
}

/** A value as a tensor of the input's rank: a list lies along its last dimension. */
export function valueTensor(input: Tensor, value: JsonValue): JsonObject {
  const data = Array.isArray(value) ? value : [value];
  const rank = Math.max(1, input.shape.length);
  const shape = Array.from({ length: rank }, (_, place) => (place === rank - 1 ? data.length : 1));
  return { name: input.name, datatype: input.datatype, shape, data };
}

/** How many texts go into one call: one where the first dimension is fixed. */
export function batchOf(input: Tensor, all: number): number {
  return (input.shape[0] ?? -1) === -1 ? Math.max(1, all) : 1;
}

/** Numbers, however deeply nested, cut into as many vectors as there were texts; undefined where that is not even. */
export function vectorsIn(data: JsonValue[], count: number): Float32Array[] | undefined {
  // Some servers nest what the protocol lets them write flat.
  const flat = data.flat(8).map(Number);
  const width = flat.length / count;
  if (!Number.isInteger(width) || width === 0 || flat.some((value) => Number.isNaN(value))) return undefined;
  return Array.from({ length: count }, (_, place) => Float32Array.from(flat.slice(place * width, (place + 1) * width)));
}
