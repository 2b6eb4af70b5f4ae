import { numberAt, type JsonObject } from '../../lib/json.ts';

/** More than any call can use; an upstream that reports more is not believed, so that sums stay integers. */
const MAX_TOKENS = 1_000_000_000;

/** The count at `key` as a whole number from 0 on, or undefined where there is none. */
export function tokensAt(object: JsonObject, key: string): number | undefined {
  const value = numberAt(object, key);
  return value === undefined ? undefined : Math.min(MAX_TOKENS, Math.max(0, Math.round(value)));
}
