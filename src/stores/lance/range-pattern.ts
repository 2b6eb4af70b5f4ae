import { TAG_SEPARATOR, type TagRange } from '../../ports/chunk-index.ts';

const LAST = 0x10_ff_ff;
const SURROGATES = { first: 0xd8_00, last: 0xdf_ff };
const SEPARATOR = TAG_SEPARATOR.charCodeAt(0);

/** Any one character of a tag. */
const ANY = `[^${escaped(TAG_SEPARATOR)}]`;

/**
 * A regular expression (of Rust's engine, without look-around) for the texts within the bounds of a range, in the
 * order of code points: undefined where there is none. Texts between two bounds share what the bounds have in common,
 * then lie strictly between them at the first difference, or go on beside one bound alone. Nesting and length grow
 * with the length of the bounds alone.
 */
export function rangePattern({ gt, gte, lt, lte }: Omit<TagRange, 'prefix'>): string | undefined {
  const low = tighter([gt, gte], 1);
  const high = tighter([lt, lte], -1);
  const above: Bound | undefined = low === undefined ? undefined : { text: points(low), inclusive: low !== gt };
  const below: Bound | undefined = high === undefined ? undefined : { text: points(high), inclusive: high !== lt };
  if (above === undefined) return below === undefined ? `${ANY}*` : upTo(below);
  return below === undefined ? from(above) : between(above, below);
}

interface Bound {
  /** Code points. */
  text: readonly number[];
  inclusive: boolean;
}

/** The bound that excludes more, of two of the same side; `sign` is 1 for lower bounds. */
function tighter(bounds: readonly (string | undefined)[], sign: 1 | -1): string | undefined {
  const [first, second] = bounds;
  if (first === undefined || second === undefined) return first ?? second;
  // The strict bound comes first and is the tighter one of two equal ones.
  return sign * compare(points(first), points(second)) >= 0 ? first : second;
}

/** Texts at or after a bound. */
function from({ text, inclusive }: Bound): string {
  let pattern = inclusive ? `${ANY}*` : `${ANY}+`;
  for (const point of text.toReversed()) {
    pattern = either(sequence(point, pattern), beyond(point)) ?? '';
  }
  return pattern;
}

/** Texts before a bound, or at it: also what the bound begins with. */
function upTo({ text, inclusive }: Bound): string | undefined {
  let pattern: string | undefined = inclusive ? '' : undefined;
  for (const point of text.toReversed()) {
    pattern = either(either(pattern === undefined ? undefined : sequence(point, pattern), short(point)), '');
  }
  return pattern;
}

function between(low: Bound, high: Bound): string | undefined {
  const order = compare(low.text, high.text);
  if (order > 0) return undefined;
  const shared = low.text.findIndex((point, i) => point !== high.text[i]);
  const same = shared === -1 ? low.text.length : shared;
  const start = low.text.slice(0, same).map(character).join('');
  if (order === 0) return low.inclusive && high.inclusive ? start : undefined;
  const a = low.text[same];
  const b = high.text[same];
  if (b === undefined) return undefined;
  const rest: Bound = { text: high.text.slice(same + 1), inclusive: high.inclusive };
  const underHigh = upTo(rest);
  if (a === undefined) {
    // The lower bound is what the upper one begins with.
    const longer = either(short(b), underHigh === undefined ? undefined : sequence(b, underHigh));
    const found = low.inclusive ? either(longer, '') : longer;
    return found === undefined ? undefined : start + found;
  }
  const overLow = sequence(a, from({ text: low.text.slice(same + 1), inclusive: low.inclusive }));
  const inside = either(overLow, strictly(a, b));
  const found = either(inside, underHigh === undefined ? undefined : sequence(b, underHigh));
  return found === undefined ? undefined : start + found;
}

/** One of two, either of which may be nothing; '' is the empty text. */
function either(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined) return other;
  if (other === undefined) return one;
  return `(?:${one}|${other})`;
}

function sequence(point: number, rest: string): string {
  return character(point) + rest;
}

/** Whatever begins with a character after the given one. */
function beyond(point: number): string | undefined {
  return classOf(point + 1, LAST, `${ANY}*`);
}

/** Whatever begins with a character before the given one. */
function short(point: number): string | undefined {
  return classOf(0, point - 1, `${ANY}*`);
}

function strictly(low: number, high: number): string | undefined {
  return classOf(low + 1, high - 1, `${ANY}*`);
}

/** A character of a span, without surrogates, which are no characters, and the separator; then `rest`. */
function classOf(first: number, last: number, rest: string): string | undefined {
  const parts = [
    [first, Math.min(last, SEPARATOR - 1)],
    [Math.max(first, SEPARATOR + 1), Math.min(last, SURROGATES.first - 1)],
    [Math.max(first, SURROGATES.last + 1), last],
  ].flatMap(([from = 0, to = 0]) => (from <= to ? `${code(from)}-${code(to)}` : []));
  return parts.length === 0 ? undefined : `[${parts.join('')}]${rest}`;
}

/** A text in which no character of a pattern means anything. */
export function escaped(text: string): string {
  return points(text).map(character).join('');
}

function character(point: number): string {
  const letter = String.fromCodePoint(point);
  return /^[A-Za-z0-9]$/.test(letter) ? letter : code(point);
}

function code(point: number): string {
  return `\\x{${point.toString(16)}}`;
}

function points(text: string): number[] {
  return Array.from(text.toWellFormed(), (letter) => letter.codePointAt(0) ?? 0);
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (const [i, point] of one.entries()) {
    const against = other[i];
    if (against === undefined) return 1;
    if (point !== against) return point - against;
  }
  return one.length - other.length;
}
