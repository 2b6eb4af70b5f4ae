import type { JsonObject, JsonValue } from '../../lib/json.ts';
import { isJsonObject } from '../../lib/json.ts';
import { MOST_BOUND_LENGTH } from '../../ports/chunk-index.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { FilterValue, MetadataFilter } from '../../spec/filter.ts';
import { MAX_TAG_KEY_LENGTH, MAX_TAG_VALUE_LENGTH, isTagValue } from '../tags.ts';

/** Bounds of one filter. */
const MOST_CONDITIONS = 100;
const MOST_VALUES = 100;
const MOST_VALUES_IN_ALL = 1_000;
const DEEPEST = 8;

const BOUNDS: ReadonlySet<string> = new Set(['$gt', '$gte', '$lt', '$lte']);
const KNOWN_FOR_FIELDS = '$eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $prefix, $not';
const KNOWN_FOR_OBJECTS = '$and, $or, $not';

type Range = Extract<MetadataFilter, { kind: 'range' }>;

/**
 * Reads a filter: an object whose entries must all hold. An entry is `field: value`, `field: [values]`,
 * `field: {operators}`, `$and: [filters]`, `$or: [filters]` or `$not: filter`; a field whose name begins with `$` is
 * written with two. Nothing that is not understood is passed over.
 *
 * @param path how the caller calls the object, for the message
 * @throws SekishoError invalid_request naming the place, for what is not understood and beyond 100 conditions, 100
 *   values per list, 1,000 values in all, a depth of 8, and the lengths of tags and bounds.
 */
export function parseFilter(json: JsonObject, path = 'filters'): MetadataFilter {
  const room = { conditions: MOST_CONDITIONS, values: MOST_VALUES_IN_ALL };

  /** Counts a condition, which is what its object is made into. */
  function condition<F extends MetadataFilter>(filter: F, at: string): F {
    if (--room.conditions < 0) throw wrong(at, `there are more than ${MOST_CONDITIONS} conditions`);
    return filter;
  }

  function filterOf(value: JsonValue | undefined, at: string, depth: number): MetadataFilter {
    if (!isJsonObject(value)) throw wrong(at, 'it must be an object');
    if (depth > DEEPEST) throw wrong(at, `it nests deeper than ${DEEPEST} levels`);
    return allOf(
      Object.entries(value).map(([name, inner]) => {
        const inside = `${at}.${name.slice(0, MAX_TAG_KEY_LENGTH)}`;
        if (!name.startsWith('$')) return fieldFilter(name, inner, { at: inside, depth });
        if (name.startsWith('$$')) return fieldFilter(name.slice(1), inner, { at: inside, depth });
        if (name === '$not') return { kind: 'not', filter: filterOf(inner, inside, depth + 1) };
        if (name !== '$and' && name !== '$or') throw wrong(inside, `unknown; known are ${KNOWN_FOR_OBJECTS}`);
        if (!Array.isArray(inner) || inner.length === 0)
          throw wrong(inside, 'it must be a list of one or more filters');
        if (inner.length > MOST_CONDITIONS) throw wrong(inside, `it has more than ${MOST_CONDITIONS} filters`);
        const filters = inner.map((each, i) => filterOf(each, `${inside}.${i}`, depth + 1));
        return { kind: name === '$and' ? 'and' : 'or', filters };
      }),
    );
  }

  function fieldFilter(
    field: string,
    value: JsonValue | undefined,
    { at, depth }: { at: string; depth: number },
  ): MetadataFilter {
    if (field.length > MAX_TAG_KEY_LENGTH) throw wrong(at, `its name is longer than ${MAX_TAG_KEY_LENGTH}`);
    if (!isJsonObject(value)) return condition({ kind: 'in', field, values: valuesOf(value, at) }, at);
    if (depth > DEEPEST) throw wrong(at, `it nests deeper than ${DEEPEST} levels`);
    if (Object.keys(value).length === 0) throw wrong(at, `it is empty; known are ${KNOWN_FOR_FIELDS}`);
    const filters: MetadataFilter[] = [];
    let range: Range | undefined;
    for (const [operator, inner] of Object.entries(value)) {
      const inside = `${at}.${operator.slice(0, MAX_TAG_KEY_LENGTH)}`;
      if (BOUNDS.has(operator)) {
        range ??= condition({ kind: 'range', field }, inside);
        addBound(range, operator, boundOf(inner, inside));
      } else filters.push(operatorFilter(field, operator, inner, { at: inside, depth }));
    }
    if (range !== undefined) {
      requireOneKind(range, at);
      filters.push(range);
    }
    return allOf(filters);
  }

  function operatorFilter(
    field: string,
    operator: string,
    value: JsonValue | undefined,
    { at, depth }: { at: string; depth: number },
  ): MetadataFilter {
    switch (operator) {
      case '$eq':
      case '$ne': {
        if (Array.isArray(value)) throw wrong(at, 'it must be one value; for a list there are $in and $nin');
        const equal = condition({ kind: 'in', field, values: valuesOf(value, at) }, at);
        return operator === '$eq' ? equal : { kind: 'not', filter: equal };
      }
      case '$in':
      case '$nin': {
        if (!Array.isArray(value)) throw wrong(at, 'it must be a list of values');
        const among = condition({ kind: 'in', field, values: valuesOf(value, at) }, at);
        return operator === '$in' ? among : { kind: 'not', filter: among };
      }
      case '$exists': {
        if (typeof value !== 'boolean') throw wrong(at, 'it must be true or false');
        const exists = condition({ kind: 'exists', field }, at);
        return value ? exists : { kind: 'not', filter: exists };
      }
      case '$prefix': {
        if (typeof value !== 'string' || value === '') throw wrong(at, 'it must be a text of one or more characters');
        return condition({ kind: 'prefix', field, text: bounded(value, at) }, at);
      }
      case '$not':
        if (!isJsonObject(value)) throw wrong(at, 'it must be an object of operators');
        return { kind: 'not', filter: fieldFilter(field, value, { at, depth: depth + 1 }) };
      default:
        throw wrong(at, `unknown; known are ${KNOWN_FOR_FIELDS}`);
    }
  }

  function valuesOf(value: JsonValue | undefined, at: string): FilterValue[] {
    const values: (JsonValue | undefined)[] = Array.isArray(value) ? value : [value];
    if (values.length > MOST_VALUES) throw wrong(at, `it has more than ${MOST_VALUES} values`);
    room.values -= values.length;
    if (room.values < 0) throw wrong(at, `there are more than ${MOST_VALUES_IN_ALL} values in all`);
    return values.map((each) => {
      if (!isTagValue(each)) throw wrong(at, 'a value must be a string, a number or a boolean, or a list of them');
      return typeof each === 'string' ? bounded(each, at) : each;
    });
  }

  return filterOf(json, path, 1);
}

function addBound(range: Range, operator: string, bound: string | number): void {
  if (operator === '$gt') range.gt = bound;
  else if (operator === '$gte') range.gte = bound;
  else if (operator === '$lt') range.lt = bound;
  else range.lte = bound;
}

function boundOf(value: JsonValue | undefined, at: string): string | number {
  if (typeof value === 'string') {
    if ([...value.normalize('NFC')].length <= MOST_BOUND_LENGTH) return value;
    throw wrong(at, `a bound is longer than ${MOST_BOUND_LENGTH} characters`);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong(at, 'a bound must be a number or a text');
}

/** Numbers and texts have no common order, so that a range of both would mean something else to everybody. */
function requireOneKind({ gt, gte, lt, lte }: Range, at: string): void {
  const kinds = new Set([gt, gte, lt, lte].flatMap((bound) => (bound === undefined ? [] : [typeof bound])));
  if (kinds.size > 1) throw wrong(at, 'its bounds must be all numbers or all texts');
}

function bounded(text: string, at: string): string {
  if (text.length > MAX_TAG_VALUE_LENGTH) throw wrong(at, `a value is longer than ${MAX_TAG_VALUE_LENGTH}`);
  return text;
}

function allOf(filters: readonly MetadataFilter[]): MetadataFilter {
  const [only] = filters;
  return filters.length === 1 && only !== undefined ? only : { kind: 'and', filters };
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
