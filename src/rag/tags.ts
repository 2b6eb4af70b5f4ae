import type { JsonObject, JsonValue } from '../lib/json.ts';
import { SekishoError } from '../spec/errors.ts';

/** Longest value, in UTF-16 code units, that a filter can name; longer ones are stored but not indexed. */
export const MAX_TAG_VALUE_LENGTH = 512;
/** Longest key, in UTF-16 code units. */
export const MAX_TAG_KEY_LENGTH = 128;
/** Most tags that one document can carry. */
export const MAX_TAGS = 512;

/** What a filter compares with. */
export type TagValue = string | number | boolean;

/** True for the values that can become a tag: strings, finite numbers, booleans. */
export function isTagValue(value: JsonValue | undefined): value is TagValue {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

/**
 * The canonical tag of one key and value: `key=value` in NFC. `%` and `=` in the key are percent-encoded, so that
 * the first `=` always ends the key and no two pairs share a tag. Numbers and booleans compare by their text:
 * metadata from a CSV file, where everything is text, answers to `{"year": 2024}` as well.
 */
export function tagOf(key: string, value: TagValue): string {
  return `${escapedKey(key)}=${String(value).normalize('NFC')}`;
}

/** A key as it stands in a tag: in NFC, without `=`, and without a `%` that is not followed by `25` or `3D`. */
export function escapedKey(key: string): string {
  return key.normalize('NFC').replace(/[%=]/g, (character) => (character === '%' ? '%25' : '%3D'));
}

/**
 * The tags of a document's metadata: one per scalar, and one per scalar element of an array, sorted, without
 * repeats. Nested objects, nulls, and keys or values beyond the lengths above cannot be filtered on and give none.
 *
 * @throws SekishoError invalid_request where there would be more than MAX_TAGS.
 */
export function tagsOf(metadata: JsonObject): string[] {
  const tags = new Set<string>();
  for (const [key, value] of Object.entries(metadata)) {
    if (key.length > MAX_TAG_KEY_LENGTH) continue;
    for (const element of Array.isArray(value) ? value : [value]) {
      if (!isTagValue(element) || (typeof element === 'string' && element.length > MAX_TAG_VALUE_LENGTH)) continue;
      tags.add(tagOf(key, element));
      if (tags.size > MAX_TAGS) {
        throw new SekishoError('invalid_request', {
          values: { problem: `metadata has more than ${MAX_TAGS} values` },
          param: 'metadata',
        });
      }
    }
  }
  return [...tags].sort();
}
