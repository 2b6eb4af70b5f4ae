import { afterHeading } from '../heading-path.ts';
import { sectionStartsOf } from './chunk-at.ts';
import type { ChunkSource } from './chunker.ts';
import type { Piece } from './cut-span.ts';
import { WIDEST_GAP } from './pack-pieces.ts';

/** The pieces of a text with headings joined to what stands below them: alone a heading says nothing. */
export function* headedPieces(pieces: Iterable<Piece>, source: ChunkSource, maxTokens: number): Generator<Piece> {
  const starts = sectionStartsOf(source);
  /** Headings without a text so far. */
  let head: Piece | undefined;
  for (const piece of pieces) {
    const isHead = starts.has(piece.start) && piece.end <= afterHeading(source.text, piece.start);
    if (head === undefined) {
      if (isHead) head = piece;
      else yield piece;
      continue;
    }
    const fits = head.tokens + piece.tokens <= maxTokens && piece.start - head.end <= WIDEST_GAP;
    if (!fits) yield head;
    const joined: Piece = fits ? { start: head.start, end: piece.end, tokens: head.tokens + piece.tokens } : piece;
    head = isHead ? joined : undefined;
    if (!isHead) yield joined;
  }
  if (head !== undefined) yield head;
}
