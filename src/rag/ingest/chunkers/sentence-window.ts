import { createChunkAt } from './chunk-at.ts';
import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import type { Piece } from './cut-span.ts';
import { headedPieces } from './headed-pieces.ts';
import { WIDEST_GAP } from './pack-pieces.ts';
import { sentencePieces } from './sentence-pieces.ts';

/** A sentence beyond this, in tokens, is cut. */
const LONGEST_SENTENCE = 256;

/** One chunk per sentence; its passage is the sentence with so many neighbours on either side. */
export function* sentenceWindow(
  source: ChunkSource,
  tools: ChunkerTools,
  { sentences: reach }: { sentences: number },
): Generator<TextChunk> {
  const chunkAt = createChunkAt(source);
  const near: Piece[] = [];
  let at = 0;
  const next = function* (least: number): Generator<TextChunk> {
    for (let piece = near[at]; piece !== undefined && near.length - at > least; piece = near[at]) {
      yield chunkAt(piece, passageAt(near, at, reach));
      if (at === reach) near.shift();
      else at++;
    }
  };
  const pieces = sentencePieces(source, tools, LONGEST_SENTENCE);
  for (const piece of headedPieces(pieces, source, LONGEST_SENTENCE)) {
    near.push(piece);
    yield* next(reach);
  }
  yield* next(0);
}

/** From so many sentences before to so many after, as far as no wide gap parts them. */
function passageAt(pieces: readonly Piece[], at: number, reach: number): { start: number; end: number } {
  let from = at;
  while (from > 0 && at - from < reach && !isApart(pieces[from - 1], pieces[from])) from--;
  let to = at;
  while (to + 1 < pieces.length && to - at < reach && !isApart(pieces[to], pieces[to + 1])) to++;
  return { start: pieces[from]?.start ?? 0, end: pieces[to]?.end ?? 0 };
}

function isApart(first: Piece | undefined, second: Piece | undefined): boolean {
  return first === undefined || second === undefined || second.start - first.end > WIDEST_GAP;
}
