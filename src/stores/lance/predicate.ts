import type { IndexSearch } from '../../ports/chunk-index.ts';

/** A SQL string literal. The dialect knows one escape: the quote, doubled; a backslash is itself. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** `column IN ('a','b')`. */
export function anyOf(column: string, values: readonly string[]): string {
  return `${column} IN (${values.map(literal).join(',')})`;
}

/** The filter of a search; undefined where it names none. */
export function tagPredicate(groups: IndexSearch['tagsAllOf']): string | undefined {
  if (groups === undefined || groups.length === 0) return undefined;
  return groups.map((group) => `array_has_any(tags, [${group.map(literal).join(',')}])`).join(' AND ');
}
