/** Objects within objects deeper than this are not looked into: nobody asks a model so. */
const MAX_DEPTH = 64;

/** JSON text in which the order of keys no longer shows. */
export interface CanonicalJson {
  text: string;
  /** Members of all objects together; fewer than the text has where keys were repeated. */
  members: number;
  /** False where a number may stand for several numbers of the text, or where something lies too deep to be looked at. */
  exact: boolean;
}

/** The members `skipped` of the outermost object are left out. Lone surrogates stay apart, as escapes. */
export function canonicalJson(value: object, skipped?: ReadonlySet<string>): CanonicalJson {
  let members = 0;
  let exact = true;

  function sorted(part: unknown, depth: number): unknown {
    if (typeof part === 'number') {
      // Beyond 2^53 two numbers of the text may be one number here.
      if (!Number.isFinite(part) || (Number.isInteger(part) && !Number.isSafeInteger(part))) exact = false;
      return part;
    }
    if (typeof part !== 'object' || part === null) return part;
    if (depth > MAX_DEPTH) {
      exact = false;
      return null;
    }
    if (Array.isArray(part)) return part.map((element) => sorted(element, depth + 1));
    const source = part as Readonly<Record<string, unknown>>;
    const keys = Object.keys(source);
    // oxlint-disable-next-line typescript/require-array-sort-compare -- by code units, which is the order wanted
    if (keys.length > 1) keys.sort();
    members += keys.length;
    // Without a prototype `__proto__` is a key like any other.
    const ordered = Object.create(null) as Record<string, unknown>;
    for (const key of keys) {
      const member = sorted(source[key], depth + 1);
      if (depth > 0 || skipped?.has(key) !== true) ordered[key] = member;
    }
    return ordered;
  }

  return { text: JSON.stringify(sorted(value, 0)), members, exact };
}

/**
 * Keys that a valid JSON text writes out, repeated ones each time. Parsers disagree on which of several counts,
 * so a text with more keys than its parse has members may mean something else to its reader.
 */
export function countKeys(text: string): number {
  let keys = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    at = behindString(text, at);
    let next = at;
    while (text.charCodeAt(next) <= 32) next++;
    if (text.charCodeAt(next) === 58) keys++;
  }
  return keys;
}

function behindString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}
