import type { Sentence } from '../../ports/text-analyser.ts';
import type { Heading } from '../documents.ts';

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
 * overlap. Token counts are the embedding model's.
 */
export function chunkText(text: string, headings: readonly Heading[], deps: ChunkerDeps): TextChunk[] {
  const starts = new Set(headings.map((heading) => heading.start));
  const chunks: TextChunk[] = [];
  let open: Piece | undefined;

  const close = (): void => {
    if (open === undefined) return;
    const { start, end } = open;
    chunks.push({ start, end, content: text.slice(start, end), headingPath: pathAt(headings, start, end) });
    open = undefined;
  };

  for (const piece of piecesOf(text, headings, deps)) {
    const newSection = starts.has(piece.start);
    if (open !== undefined) {
      const full =
        open.tokens + piece.tokens > (newSection ? TARGET_TOKENS : MAX_TOKENS) || open.tokens >= TARGET_TOKENS;
      if (full || (newSection && open.tokens >= MIN_TOKENS)) close();
    }
    open =
      open === undefined ? { ...piece } : { start: open.start, end: piece.end, tokens: open.tokens + piece.tokens };
  }
  close();
  return mergeTail(text, chunks, headings, deps);
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
  for (const sentence of deps.sentences(text)) yield* upTo(sentence.end);
  yield* upTo(text.length);
}

/** A span as it is, or in halves (between words where it can be) until each fits. */
function* sized(text: string, { from, to }: { from: number; to: number }, deps: ChunkerDeps): Generator<Piece> {
  const { start, end } = trimmed(text, from, to);
  if (start >= end) return;
  // A token is at least one code unit, and rarely more than eight: most spans need no second look.
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
  const code = text.charCodeAt(middle);
  const insidePair = code >= 0xdc00 && code <= 0xdfff && middle - 1 > start;
  return insidePair ? middle - 1 : middle;
}

/** A short last chunk joins the one before it where both share a section and fit together. */
function mergeTail(text: string, chunks: TextChunk[], headings: readonly Heading[], deps: ChunkerDeps): TextChunk[] {
  const last = chunks.at(-1);
  const before = chunks.at(-2);
  if (last === undefined || before === undefined || headings.some((heading) => heading.start === last.start))
    return chunks;
  const content = text.slice(before.start, last.end);
  if (deps.countTokens(last.content) >= MIN_TOKENS || deps.countTokens(content) > MAX_TOKENS) return chunks;
  return [...chunks.slice(0, -2), { start: before.start, end: last.end, content, headingPath: before.headingPath }];
}

/**
 * The headings that hold at a chunk, outermost first. A chunk that begins with headings belongs under them;
 * one that runs over several short sections belongs under the first.
 */
function pathAt(headings: readonly Heading[], start: number, end: number): string[] {
  const path: Heading[] = [];
  let within = start;
  for (const heading of headings) {
    if (heading.start > within || heading.start >= end) break;
    while ((path.at(-1)?.level ?? 0) >= heading.level) path.pop();
    path.push(heading);
    // Headings that follow each other without text between lead to the innermost.
    if (heading.start === within) within = heading.start + heading.text.length + heading.level + 2;
  }
  return path.map((heading) => heading.text);
}

function trimmed(text: string, start: number, end: number): { start: number; end: number } {
  while (start < end && /\s/.test(text.charAt(start))) start++;
  while (end > start && /\s/.test(text.charAt(end - 1))) end--;
  return { start, end };
}
