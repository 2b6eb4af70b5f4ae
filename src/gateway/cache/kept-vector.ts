/** The vector of one text, and what the upstream calls the model that made it. */
export interface KeptVector {
  model: string;
  vector: Float32Array;
}

export function bytesOfVector({ model, vector }: KeptVector): number {
  return vector.byteLength + model.length;
}

/** Two bytes of length, the model's name of that length, the numbers in little-endian order. */
export function encodeVector({ model, vector }: KeptVector): Uint8Array {
  const name = Buffer.from(model);
  const head = Buffer.alloc(2);
  head.writeUInt16LE(name.length);
  return Buffer.concat([head, name, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)]);
}

/** undefined for bytes that hold no vector. */
export function decodeVector(bytes: Uint8Array): KeptVector | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 2) return undefined;
  const numbersAt = 2 + buffer.readUInt16LE(0);
  const length = (buffer.length - numbersAt) / 4;
  if (!Number.isInteger(length) || length < 1) return undefined;
  // A copy of its own: the bytes need not lie where numbers may lie, and may belong to a larger reply.
  const vector = new Float32Array(new Uint8Array(buffer.subarray(numbersAt)).buffer);
  return { model: buffer.toString('utf8', 2, numbersAt), vector };
}
