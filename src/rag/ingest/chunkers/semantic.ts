import { createChunkAt, sectionStartsOf } from './chunk-at.ts';
import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import type { Piece } from './cut-span.ts';
import { headedPieces } from './headed-pieces.ts';
import { WIDEST_GAP } from './pack-pieces.ts';
import { sentencePieces } from './sentence-pieces.ts';

/** Sentences whose distances are compared with one another, and which are embedded in one call. */
const WINDOW_SENTENCES = 256;
/** Of the maximum: a section that starts ends a chunk of so much. */
const SECTION_SHARE = 0.1;

/**
 * Ends chunks between sentences whose meanings part most: where the cosine distance between neighbours is above the
 * given percentile of those around it. A sentence is embedded together with its neighbours, since one alone says
 * too little (after G. Kamradt's semantic splitting, 2023). No chunk has more than `maxTokens`.
 */
export async function* semantic(
  source: ChunkSource,
  tools: ChunkerTools,
  { percentile, maxTokens }: { percentile: number; maxTokens: number },
): AsyncGenerator<TextChunk> {
  const chunkAt = createChunkAt(source);
  const starts = sectionStartsOf(source);
  let open: Piece | undefined;
  /** The last sentence of the window before, with which the distances of the next begin. */
  let before: Piece | undefined;
  for (const window of windowsOf(headedPieces(sentencePieces(source, tools, maxTokens), source, maxTokens))) {
    const known = before === undefined ? window : [before, ...window];
    const distances = await distancesOf(known, source.text, tools);
    const farthest = percentileOf(distances, percentile);
    for (const [at, piece] of window.entries()) {
      const distance = distances[at - (before === undefined ? 1 : 0)] ?? 0;
      if (open !== undefined && (distance > farthest || mustPart(open, piece, { starts, maxTokens }))) {
        yield chunkAt(open);
        open = undefined;
      }
      open = open === undefined ? piece : { start: open.start, end: piece.end, tokens: open.tokens + piece.tokens };
    }
    before = window.at(-1);
  }
  if (open !== undefined) yield chunkAt(open);
}

function mustPart(
  open: Piece,
  piece: Piece,
  { starts, maxTokens }: { starts: ReadonlySet<number>; maxTokens: number },
): boolean {
  if (open.tokens + piece.tokens > maxTokens || piece.start - open.end > WIDEST_GAP) return true;
  return starts.has(piece.start) && open.tokens >= maxTokens * SECTION_SHARE;
}

function* windowsOf(pieces: Iterable<Piece>): Generator<Piece[]> {
  let window: Piece[] = [];
  for (const piece of pieces) {
    if (window.push(piece) < WINDOW_SENTENCES) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

/** Between each piece and the next: one number fewer than pieces. */
async function distancesOf(pieces: readonly Piece[], text: string, tools: ChunkerTools): Promise<number[]> {
  if (pieces.length < 3) return pieces.slice(1).map(() => 0);
  const vectors = await tools.embed(
    pieces.map((_, at) => {
      const around = pieces.slice(Math.max(0, at - 1), at + 2);
      return around.map(({ start, end }) => text.slice(start, end)).join(' ');
    }),
  );
  return pieces.slice(1).map((_, at) => cosineDistance(vectors[at], vectors[at + 1]));
}

/** 0 for the same direction, 2 for the opposite; 0 where a vector says nothing. */
function cosineDistance(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) return 0;
  let [dot, left, right] = [0, 0, 0];
  for (const [at, value] of a.entries()) {
    const other = b[at] ?? 0;
    dot += value * other;
    left += value * value;
    right += other * other;
  }
  return left === 0 || right === 0 ? 0 : 1 - dot / Math.sqrt(left * right);
}

/** The percentile of the values, between two of them where it falls there; Infinity of none. */
function percentileOf(values: readonly number[], percentile: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = ((sorted.length - 1) * percentile) / 100;
  const below = sorted[Math.floor(place)];
  if (below === undefined) return Infinity;
  return below + ((sorted[Math.ceil(place)] ?? below) - below) * (place % 1);
}
