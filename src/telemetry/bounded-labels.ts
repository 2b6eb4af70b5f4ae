/** The value under which everything beyond the bound is counted. */
export const OTHER = 'other';

/** What a terminal or an editor acts on instead of showing it. */
// eslint-disable-next-line no-control-regex
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Bounds the values of one metric label: the first `max` distinct values keep their name, later ones are
 * counted together. A caller who makes up names cannot grow the memory of the process, nor write more than names into
 * what others read in their terminals.
 */
export function createBoundedLabel(max: number): (value: string) => string {
  const known = new Map<string, string>();
  return (value) => {
    const label = known.get(value);
    if (label !== undefined) return label;
    if (known.size >= max) return OTHER;
    const shown = value.replace(ACTIVE, '\ufffd');
    known.set(value, shown);
    return shown;
  };
}
