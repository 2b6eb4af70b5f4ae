import type { Sentence } from '../../ports/text-analyser.ts';
import type { Heading } from '../documents.ts';
import { createHeadingPath } from './heading-path.ts';

/** A piece of a text; `start` and `end` are UTF-16 offsets, `content` is the slice between them. */
export interface TextChunk {
  start: number;
  end: number;
  content: string;
  /** Headings above the chunk, outermost first. */
  headingPath: string[];
}

export interface ChunkerDeps {
  sentences: (text: string) => Sentence[];
  countTokens: (text: string) => number;
}

const TARGET_TOKENS = 300;
const MAX_TOKENS = 500;
/** A section shorter than this goes on into the next one: alone it would be a heading without content. */
const MIN_TOKENS = 60;
/** White space beyond this, in code units, parts two chunks: it holds no token, and a reader would get all of it. */
const WIDEST_GAP = 500;
/** Code units that are looked at in one go, so that a caller can pause between chunks of a long text. */
const WINDOW = 50_000;

/** Names the way in which texts are cut; part of a collection's fingerprint. */
export const CHUNKER_ID = `recursive-1:${TARGET_TOKENS}/${MAX_TOKENS}`;

interface Piece {
  start: number;
  end: number;
  tokens: number;
}

/**
 * Cuts a text recursively: at headings, then between sentences, and inside a sentence only where it alone is
 * larger than a chunk may be. Chunks cover every character that is not white space, in order, without
 * overlap. Token counts are the embedding model's. Headings are in order. Work goes on as chunks are taken:
 * what one chunk costs is bounded, however long the text.
 */
export function* chunkText(text: string, headings: readonly Heading[], deps: ChunkerDeps): Generator<TextChunk> {
  const starts = new Set(headings.map((heading) => heading.start));
  const pathOf = createHeadingPath(text, headings);
  const chunkOf = ({ start, end }: Piece): TextChunk => ({
    start,
    end,
    content: text.slice(start, end),
    headingPath: pathOf(start, end),
  });
  // The last complete chunk waits: a short tail still joins it.
  let complete: Piece | undefined;
  let open: Piece | undefined;

  for (const piece of piecesOf(text, headings, deps)) {
    if (open !== undefined && parts(open, piece, starts.has(piece.start))) {
      if (complete !== undefined) yield chunkOf(complete);
      complete = open;
      open = undefined;
    }
    open = open === undefined ? piece : joined(open, piece);
  }
  if (open === undefined) return;
  if (complete !== undefined && isTailOf(complete, open, starts)) {
    yield chunkOf(joined(complete, open));
    return;
  }
  if (complete !== undefined) yield chunkOf(complete);
  yield chunkOf(open);
}

/** Whether a new chunk begins with the piece. */
function parts(open: Piece, piece: Piece, beginsSection: boolean): boolean {
  if (open.tokens >= TARGET_TOKENS || piece.start - open.end > WIDEST_GAP) return true;
  if (beginsSection && open.tokens >= MIN_TOKENS) return true;
  return open.tokens + piece.tokens > (beginsSection ? TARGET_TOKENS : MAX_TOKENS);
}

function isTailOf(before: Piece, tail: Piece, sectionStarts: ReadonlySet<number>): boolean {
  if (sectionStarts.has(tail.start) || tail.start - before.end > WIDEST_GAP) return false;
  return tail.tokens < MIN_TOKENS && before.tokens + tail.tokens <= MAX_TOKENS;
}

function joined(first: Piece, second: Piece): Piece {
  return { start: first.start, end: second.end, tokens: first.tokens + second.tokens };
}

/** Sentences with the marks around them, cut at headings, none larger than a chunk may be. */
function* piecesOf(text: string, headings: readonly Heading[], deps: ChunkerDeps): Generator<Piece> {
  let from = 0;
  let next = 0;
  const upTo = function* (end: number): Generator<Piece> {
    for (let cut = headings[next]; cut !== undefined && cut.start < end; cut = headings[next]) {
      yield* sized(text, { from, to: cut.start }, deps);
      from = Math.max(from, cut.start);
      next++;
    }
    yield* sized(text, { from, to: end }, deps);
    from = Math.max(from, end);
  };
  for (let windowStart = 0; windowStart < text.length;) {
    const windowEnd = endOfWindow(text, windowStart);
    for (const sentence of deps.sentences(text.slice(windowStart, windowEnd))) yield* upTo(windowStart + sentence.end);
    windowStart = windowEnd;
  }
  yield* upTo(text.length);
}

/** Where a window ends: after a paragraph, else after a line, else between words. */
function endOfWindow(text: string, start: number): number {
  if (text.length - start <= WINDOW) return text.length;
  const most = start + WINDOW;
  for (const mark of ['\n\n', '\n']) {
    const at = text.slice(start, most).lastIndexOf(mark);
    if (at > WINDOW / 2) return start + at + mark.length;
  }
  return cutNear(text, most - 1_000, most);
}

/** A span as it is, or in halves (between words where it can be) until each fits. */
function* sized(text: string, { from, to }: { from: number; to: number }, deps: ChunkerDeps): Generator<Piece> {
  const { start, end } = trimmed(text, from, to);
  if (start >= end) return;
  // A token is rarely longer than eight code units: a span as long as this needs no count to be too large.
  const tokens = end - start > MAX_TOKENS * 64 ? Infinity : deps.countTokens(text.slice(start, end));
  if (tokens <= MAX_TOKENS || end - start < 2) {
    yield { start, end, tokens };
    return;
  }
  const middle = cutNear(text, start, end);
  yield* sized(text, { from: start, to: middle }, deps);
  yield* sized(text, { from: middle, to: end }, deps);
}

/** A place near the middle to cut at: white space or punctuation where there is some, never inside a surrogate pair. */
function cutNear(text: string, start: number, end: number): number {
  const middle = (start + end) >> 1;
  const reach = Math.min(200, (end - start) >> 2);
  for (let distance = 0; distance <= reach; distance++) {
    for (const at of [middle + distance, middle - distance]) {
      if (at > start && at < end && /[\s、。,;:]/.test(text.charAt(at - 1))) return at;
    }
  }
  return isInsidePair(text, middle) && middle - 1 > start ? middle - 1 : middle;
}

function isInsidePair(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text.charAt(at - 1)) && /[\udc00-\udfff]/.test(text.charAt(at));
}

function trimmed(text: string, from: number, to: number): { start: number; end: number } {
  let start = from;
  let end = to;
  while (start < end && /\s/.test(text.charAt(start))) start++;
  while (end > start && /\s/.test(text.charAt(end - 1))) end--;
  return { start, end };
}
