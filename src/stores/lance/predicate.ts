import type { IndexFilter } from '../../ports/chunk-index.ts';

/** A SQL string literal. The dialect knows one escape: the quote, doubled; a backslash is itself. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** `column IN ('a','b')`. */
export function anyOf(column: string, values: readonly string[]): string {
  return `${column} IN (${values.map(literal).join(',')})`;
}

/** A filter as SQL over the chunk table. */
export function predicateOf(filter: IndexFilter): string {
  if ('anyTag' in filter) {
    return filter.anyTag.length === 0 ? 'false' : `array_has_any(tags, [${filter.anyTag.map(literal).join(',')}])`;
  }
  if ('documentIds' in filter) {
    return filter.documentIds.length === 0 ? 'false' : anyOf('document_id', filter.documentIds);
  }
  if ('not' in filter) return `NOT (${predicateOf(filter.not)})`;
  const parts = 'and' in filter ? filter.and : filter.or;
  if (parts.length === 0) return 'and' in filter ? 'true' : 'false';
  return parts.map((part) => `(${predicateOf(part)})`).join('and' in filter ? ' AND ' : ' OR ');
}
