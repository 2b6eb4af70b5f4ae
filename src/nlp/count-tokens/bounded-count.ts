/**
 * A run of one class without a break: byte-pair merging takes time in the square of its length. Text of people and
 * machines has runs shorter than this; in a longer one each cut adds a token at most.
 */
const MAX_RUN = 128;
const LONG_RUN = new RegExp(
  `[\\p{L}\\p{M}]{${MAX_RUN + 1},}|\\s{${MAX_RUN + 1},}|[^\\s\\p{L}\\p{N}]{${MAX_RUN + 1},}`,
  'gu',
);
/** Text is counted in slices of this many code units, so that counting can end early. */
const SLICE = 8_192;

/**
 * Counts the tokens of a text in time linear in its length, ending as soon as the count is above `stopAbove`.
 * A cut prevents a merge, so that the count is the true one or a little above.
 */
export function boundedCount(
  text: string,
  { tokensOf, stopAbove }: { tokensOf: (piece: string) => number; stopAbove: number },
): number {
  let sum = 0;
  for (let from = 0; from < text.length && sum <= stopAbove;) {
    const to = sliceEnd(text, from);
    for (const piece of withoutLongRuns(text.slice(from, to))) sum += tokensOf(piece);
    from = to;
  }
  return sum;
}

/** Before a blank, where there is one near the end of the slice; never inside a surrogate pair. */
function sliceEnd(text: string, from: number): number {
  const end = from + SLICE;
  if (end >= text.length) return text.length;
  const blank = text.lastIndexOf(' ', end);
  if (blank > from + SLICE / 2) return blank;
  return wholeEnd(text, end);
}

/** The same place, or the one before where it would cut a surrogate pair. */
function wholeEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code <= 0xdbff ? end - 1 : end;
}

function* withoutLongRuns(text: string): Generator<string> {
  let from = 0;
  for (const match of text.matchAll(LONG_RUN)) {
    if (match.index > from) yield text.slice(from, match.index);
    const [run] = match;
    for (let at = 0; at < run.length;) {
      const end = wholeEnd(run, Math.min(run.length, at + MAX_RUN));
      // Half a pair at the very end stands alone.
      const next = end > at ? end : run.length;
      yield run.slice(at, next);
      at = next;
    }
    from = match.index + run.length;
  }
  if (from < text.length) yield text.slice(from);
}
