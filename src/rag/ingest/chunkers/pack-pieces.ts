import type { Piece } from './cut-span.ts';

/** What pieces are put together to. */
export interface PackLimits {
  /** A pack of so many tokens takes no more. */
  targetTokens: number;
  /** No pack has more, but by what counting pieces one by one leaves out. */
  maxTokens: number;
  /** A section shorter than this goes on into the next one: alone it would be a heading without content. */
  minTokens: number;
}

/** Pieces that were put together. */
export interface Pack<P extends Piece = Piece> extends Piece {
  parts: P[];
}

/** White space beyond this, in code units, parts two packs: it holds no token, and a reader would get all of it. */
export const WIDEST_GAP = 500;

/**
 * Puts pieces together in order: until the target is reached, up to the maximum, and anew where a section starts.
 * A short tail joins the pack before it, so one complete pack waits.
 */
export function* packPieces<P extends Piece>(
  pieces: Iterable<P>,
  limits: PackLimits,
  sectionStarts: ReadonlySet<number>,
): Generator<Pack<P>> {
  let complete: Pack<P> | undefined;
  let open: Pack<P> | undefined;
  for (const piece of pieces) {
    if (open !== undefined && parts(open, piece, { limits, beginsSection: sectionStarts.has(piece.start) })) {
      if (complete !== undefined) yield complete;
      complete = open;
      open = undefined;
    }
    if (open === undefined) {
      open = { start: piece.start, end: piece.end, tokens: piece.tokens, parts: [piece] };
    } else {
      open.end = piece.end;
      open.tokens += piece.tokens;
      open.parts.push(piece);
    }
  }
  if (complete !== undefined && open !== undefined && isTail(complete, open, { limits, sectionStarts })) {
    const { start, tokens } = complete;
    yield { start, end: open.end, tokens: tokens + open.tokens, parts: [...complete.parts, ...open.parts] };
    return;
  }
  if (complete !== undefined) yield complete;
  if (open !== undefined) yield open;
}

/** Whether a new pack begins with the piece. */
function parts(
  open: Piece,
  piece: Piece,
  { limits, beginsSection }: { limits: PackLimits; beginsSection: boolean },
): boolean {
  const { targetTokens, maxTokens, minTokens } = limits;
  if (open.tokens >= targetTokens || piece.start - open.end > WIDEST_GAP) return true;
  if (beginsSection && open.tokens >= minTokens) return true;
  return open.tokens + piece.tokens > (beginsSection ? targetTokens : maxTokens);
}

function isTail(
  before: Piece,
  tail: Piece,
  { limits, sectionStarts }: { limits: PackLimits; sectionStarts: ReadonlySet<number> },
): boolean {
  if (sectionStarts.has(tail.start) || tail.start - before.end > WIDEST_GAP) return false;
  return tail.tokens < limits.minTokens && before.tokens + tail.tokens <= limits.maxTokens;
}
