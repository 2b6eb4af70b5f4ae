/** The value under which everything beyond the bound is counted. */
export const OTHER = 'other';

/**
 * Bounds the values of one metric label: the first `max` distinct values keep their name, later ones are
 * counted together. A caller who makes up names cannot grow the memory of the process.
 */
export function createBoundedLabel(max: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= max) return OTHER;
    known.add(value);
    return value;
  };
}
