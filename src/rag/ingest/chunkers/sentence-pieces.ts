import type { Heading } from '../../documents.ts';
import type { ChunkerTools, ChunkSource } from './chunker.ts';
import { cutNear, sizedPieces, type Piece } from './cut-span.ts';

/** Code units that are looked at in one go, so that a caller can pause between chunks of a long text. */
const WINDOW = 50_000;

/** Sentences with the marks around them, cut at headings, none of more than `maxTokens`; in order, covering the text. */
export function* sentencePieces(
  { text, headings }: ChunkSource,
  { sentences, countTokens }: Pick<ChunkerTools, 'sentences' | 'countTokens'>,
  maxTokens: number,
): Generator<Piece> {
  const limit = { maxTokens, countTokens };
  let start = 0;
  let next = 0;
  const upTo = function* (end: number): Generator<Piece> {
    for (let cut: Heading | undefined = headings[next]; cut !== undefined && cut.start < end; cut = headings[next]) {
      yield* sizedPieces(text, { start, end: cut.start }, limit);
      start = Math.max(start, cut.start);
      next++;
    }
    yield* sizedPieces(text, { start, end }, limit);
    start = Math.max(start, end);
  };
  for (let windowStart = 0; windowStart < text.length;) {
    const windowEnd = endOfWindow(text, windowStart);
    for (const sentence of sentences(text.slice(windowStart, windowEnd))) yield* upTo(windowStart + sentence.end);
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
