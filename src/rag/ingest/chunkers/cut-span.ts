/** A span with what it weighs, in tokens. */
export interface Piece {
  start: number;
  end: number;
  tokens: number;
}

/** Code units that no token is longer than, about: a span of more than so many per token need not be counted. */
const UNITS_PER_TOKEN = 64;
/** Marks and joiners that one character may carry; more of them are text made to hurt. */
const MOST_MARKS = 32;
const CARRIED = /[\p{M}\u200d]/u;

/** A span as it is, or in halves (between words where it can be) until none is of more than `maxTokens`. */
export function* sizedPieces(
  text: string,
  span: { start: number; end: number },
  limit: { maxTokens: number; countTokens: (text: string) => number },
): Generator<Piece> {
  const { start, end } = trimmedSpan(text, span.start, span.end);
  if (start >= end) return;
  const { maxTokens, countTokens } = limit;
  const tokens = end - start > maxTokens * UNITS_PER_TOKEN ? Infinity : countTokens(text.slice(start, end));
  const middle = tokens <= maxTokens ? start : cutNear(text, start, end);
  if (middle <= start || middle >= end) {
    yield { start, end, tokens };
    return;
  }
  yield* sizedPieces(text, { start, end: middle }, limit);
  yield* sizedPieces(text, { start: middle, end }, limit);
}

/** A place near the middle to cut at: white space or punctuation where there is some, never inside a character. */
export function cutNear(text: string, start: number, end: number): number {
  const middle = (start + end) >> 1;
  const reach = Math.min(200, (end - start) >> 2);
  for (let distance = 0; distance <= reach; distance++) {
    for (const at of [middle + distance, middle - distance]) {
      if (at > start && at < end && /[\s、。,;:]/.test(text.charAt(at - 1)) && !splitsCharacter(text, at)) return at;
    }
  }
  return betweenCharacters(text, middle, start);
}

/**
 * The nearest place at or before `at`, after `start`, that does not part a character from its marks; where there
 * are too many of them, one that at least cuts no surrogate pair. Gives `start` where the span is one pair.
 */
export function betweenCharacters(text: string, at: number, start: number): number {
  for (let place = at; place > start && at - place <= MOST_MARKS; place--) {
    if (!splitsCharacter(text, place)) return place;
  }
  return isInsidePair(text, at) ? at - 1 : at;
}

/** The span without the white space at its ends. */
export function trimmedSpan(text: string, from: number, to: number): { start: number; end: number } {
  let start = from;
  let end = to;
  while (start < end && /\s/.test(text.charAt(start))) start++;
  while (end > start && /\s/.test(text.charAt(end - 1))) end--;
  return { start, end };
}

function splitsCharacter(text: string, at: number): boolean {
  if (isInsidePair(text, at) || text.charCodeAt(at - 1) === 0x200d) return true;
  return text.charCodeAt(at) > 0x2ff && CARRIED.test(text.charAt(at));
}

function isInsidePair(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text.charAt(at - 1)) && /[\udc00-\udfff]/.test(text.charAt(at));
}
