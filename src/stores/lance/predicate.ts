import { MOST_BOUND_LENGTH, TAG_SEPARATOR, type IndexFilter, type TagRange } from '../../ports/chunk-index.ts';
import { escaped, rangePattern } from './range-pattern.ts';

/** A SQL string literal. The dialect knows one escape: the quote, doubled; a backslash is itself. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** `column IN ('a','b')`. */
export function anyOf(column: string, values: readonly string[]): string {
  return `${column} IN (${values.map(literal).join(',')})`;
}

/** The tags of a row as one text, each between two separators. No index has it: a range looks at every row. */
const ALL_TAGS = `concat('${TAG_SEPARATOR}', array_to_string(tags, '${TAG_SEPARATOR}'), '${TAG_SEPARATOR}')`;

/** A filter as SQL over the chunk table. */
export function predicateOf(filter: IndexFilter): string {
  if ('anyTag' in filter) {
    return filter.anyTag.length === 0 ? 'false' : `array_has_any(tags, [${filter.anyTag.map(literal).join(',')}])`;
  }
  if ('documentIds' in filter) {
    return filter.documentIds.length === 0 ? 'false' : anyOf('document_id', filter.documentIds);
  }
  if ('tagRange' in filter) return rangePredicate(filter.tagRange);
  if ('not' in filter) return `NOT (${predicateOf(filter.not)})`;
  const parts = 'and' in filter ? filter.and : filter.or;
  if (parts.length === 0) return 'and' in filter ? 'true' : 'false';
  return parts.map((part) => `(${predicateOf(part)})`).join('and' in filter ? ' AND ' : ' OR ');
}

function rangePredicate({ prefix, ...bounds }: TagRange): string {
  const texts = [bounds.gt, bounds.gte, bounds.lt, bounds.lte].filter((bound) => bound !== undefined);
  if (texts.some((bound) => [...bound].length > MOST_BOUND_LENGTH)) throw new Error('a bound of a range is too long');
  if ([prefix, ...texts].some((text) => text.includes(TAG_SEPARATOR))) return 'false';
  if (texts.length === 0) return `contains(${ALL_TAGS}, ${literal(TAG_SEPARATOR + prefix)})`;
  const pattern = rangePattern(bounds);
  if (pattern === undefined) return 'false';
  const whole = `${escaped(TAG_SEPARATOR + prefix)}(?:${pattern})${escaped(TAG_SEPARATOR)}`;
  return `regexp_like(${ALL_TAGS}, ${literal(whole)})`;
}
