import type { StaticTextEncoder, TokenTable } from '../../ports/text-analyser.ts';
import { createStaticEncoder } from './static-encoder.ts';

/** An encoder whose table is read at its first use: it takes memory that a mere gateway does not need. */
export function createLazyEncoder(id: string, read: () => Uint8Array): StaticTextEncoder & TokenTable {
  let made: (StaticTextEncoder & TokenTable) | undefined;
  const encoder = (): StaticTextEncoder & TokenTable => (made ??= createStaticEncoder(read()));
  return {
    id,
    get dimensions() {
      return encoder().dimensions;
    },
    get fingerprint() {
      return encoder().fingerprint;
    },
    encode: (text) => encoder().encode(text),
    countTokens: (text) => encoder().countTokens(text),
    rowsOf: (text) => encoder().rowsOf(text),
    rowInto: (row, target, offset) => encoder().rowInto(row, target, offset),
  };
}
