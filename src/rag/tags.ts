import type { JsonObject, JsonValue } from '../lib/json.ts';
import { TAG_SEPARATOR } from '../ports/chunk-index.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import { SekishoError } from '../spec/errors.ts';
import { accessTags } from './access.ts';
import { escapedKey } from './tag-key.ts';

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
  return `${escapedKey(key)}=${String(value).toWellFormed().normalize('NFC')}`;
}

/**
 * The tag that a number is found by in ranges: 16 hex digits whose order is that of the numbers, after Lucene's
 * sortable doubles: the sign bit of the IEEE 754 double flipped, and of negative numbers every other bit too.
 */
export function sortableNumber(value: number): string {
  const bits = new BigUint64Array(Float64Array.of(value === 0 ? 0 : value).buffer)[0] ?? 0n;
  const sortable = bits >> 63n === 0n ? bits | (1n << 63n) : BigInt.asUintN(64, ~bits);
  return sortable.toString(16).padStart(16, '0');
}

/** What the tags of all numbers under a key begin with. No key of metadata makes it: see escapedKey. */
export function numberPrefix(key: string): string {
  return `%num=${escapedKey(key)}=`;
}

/** The tag of a document that says anything at all under a key. */
export function existsTag(key: string): string {
  return `%has=${escapedKey(key)}`;
}

/** Which making of tags a document went through; what is stored with an older one is tagged anew. */
export const TAGS_VERSION = 1;

/** Everything that filters can name of a document: its metadata, that it has them, its numbers, and who may find it. */
export function documentTags(document: { metadata: JsonObject; access: DocumentAccess | null }): string[] {
  const tags = new Set([...tagsOf(document.metadata), ...accessTags(document.access)]);
  for (const [key, value] of Object.entries(document.metadata)) {
    if (key.length > MAX_TAG_KEY_LENGTH || key.includes(TAG_SEPARATOR)) continue;
    const elements = (Array.isArray(value) ? value : [value]).filter((each) => each !== null && each !== undefined);
    if (elements.length > 0) tags.add(existsTag(key));
    for (const element of elements) {
      const number = numberOf(element);
      if (number !== undefined) tags.add(numberPrefix(key) + sortableNumber(number));
    }
  }
  return [...tags].sort();
}

/** A number, or a text that is one, as the cells of a table are. */
export function numberOf(value: JsonValue): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.length > 32 || !/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i.test(value)) {
    return undefined;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/**
 * The tags of a document's metadata: one per scalar, and one per scalar element of an array, sorted, without
 * repeats. Nested objects, nulls, keys or values beyond the lengths above, and those that hold a TAG_SEPARATOR cannot be
 * filtered on and give none.
 *
 * @throws SekishoError invalid_request where there would be more than MAX_TAGS.
 */
export function tagsOf(metadata: JsonObject): string[] {
  const tags = new Set<string>();
  for (const [key, value] of Object.entries(metadata)) {
    if (key.length > MAX_TAG_KEY_LENGTH || key.includes(TAG_SEPARATOR)) continue;
    for (const element of Array.isArray(value) ? value : [value]) {
      if (!isTagValue(element)) continue;
      if (typeof element === 'string' && (element.length > MAX_TAG_VALUE_LENGTH || element.includes(TAG_SEPARATOR))) {
        continue;
      }
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
