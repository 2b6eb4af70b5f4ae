import { LRUCache } from 'lru-cache';

/** Statement texts that are remembered: the house has some hundreds. */
const MAX_TEXTS = 2_000;

/** Turns `?` into `$1`, `$2`, … once per statement text; what stands in quotes is left alone. */
export function createNumberedParameters(): (sql: string) => string {
  const known = new LRUCache<string, string>({ max: MAX_TEXTS });
  return (sql) => {
    const numbered = known.get(sql) ?? numberedOf(sql);
    known.set(sql, numbered);
    return numbered;
  };
}

function numberedOf(sql: string): string {
  let count = 0;
  return sql.replace(/'[^']*'|"[^"]*"|\?/g, (found) => (found === '?' ? `$${++count}` : found));
}
