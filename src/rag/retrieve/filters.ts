import type { JsonObject, JsonValue } from '../../lib/json.ts';
import type { IndexFilter } from '../../ports/chunk-index.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Principal } from '../../spec/principal.ts';
import { rightsFilter } from '../access.ts';
import { MAX_TAG_KEY_LENGTH, MAX_TAG_VALUE_LENGTH, isTagValue, tagOf } from '../tags.ts';

const MOST_KEYS = 20;
const MOST_VALUES = 100;

/**
 * What a question may find, decided before anything is ranked: the rights of whoever asks and his filters, both in
 * force. undefined: everything.
 * @throws SekishoError invalid_request naming what is wrong with the filters; no part of them is passed over.
 */
export function searchFilter(request: { principal: Principal; filters?: JsonObject }): IndexFilter | undefined {
  const groups = filterTags(request.filters ?? {});
  const rights = rightsFilter(request.principal);
  const parts: IndexFilter[] = [...(rights === undefined ? [] : [rights]), ...groups.map((anyTag) => ({ anyTag }))];
  return parts.length === 0 ? undefined : { and: parts };
}

/**
 * `{key: value | value[]}` as groups of tags for the index: every key must match, one value of a list suffices,
 * an empty list matches nothing. A document whose metadata has an array under the key matches by any element.
 *
 * @throws SekishoError invalid_request for anything but strings, finite numbers and booleans, and beyond 20 keys
 *   or 100 values per key.
 */
export function filterTags(filters: JsonObject): string[][] {
  const entries = Object.entries(filters);
  if (entries.length > MOST_KEYS) throw wrong('filters', `there are more than ${MOST_KEYS} filters`);
  return entries.map(([key, value]) => {
    const param = `filters.${key.slice(0, MAX_TAG_KEY_LENGTH)}`;
    if (key.length > MAX_TAG_KEY_LENGTH) throw wrong(param, `its name is longer than ${MAX_TAG_KEY_LENGTH}`);
    const values: (JsonValue | undefined)[] = Array.isArray(value) ? value : [value];
    if (values.length > MOST_VALUES) throw wrong(param, `it has more than ${MOST_VALUES} values`);
    return values.map((each) => {
      if (!isTagValue(each)) throw wrong(param, 'a value must be a string, a number or a boolean, or a list of them');
      if (typeof each === 'string' && each.length > MAX_TAG_VALUE_LENGTH) {
        throw wrong(param, `a value is longer than ${MAX_TAG_VALUE_LENGTH}`);
      }
      return tagOf(key, each);
    });
  });
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
