import { sectionStartsOf } from './chunk-at.ts';
import type { ChunkerTools, ChunkSource } from './chunker.ts';
import type { Piece } from './cut-span.ts';
import { sentencePieces } from './sentence-pieces.ts';

/** What tells a line's block stands at its beginning. */
const LONGEST_LOOK = 200;
const FENCE = /^[ \t]*(`{3,}|~{3,})/;
const TABLE_ROW = /^[ \t]*\|/;
const BLANK = /^\s*$/;

/**
 * Paragraphs, lists, tables and fenced code, whole where they have no more than `maxTokens`, else sentences and
 * lines put together up to that. In order, covering the text, none across a heading.
 */
export function* blockPieces(source: ChunkSource, tools: ChunkerTools, maxTokens: number): Generator<Piece> {
  const starts = sectionStartsOf(source);
  const blockAt = createBlockAt(source.text);
  let open: Piece | undefined;
  let openBlock = -1;
  for (const piece of sentencePieces(source, tools, maxTokens)) {
    const block = blockAt(piece.start);
    const joins = block === openBlock && !starts.has(piece.start);
    if (open !== undefined && joins && open.tokens + piece.tokens <= maxTokens) {
      open = { start: open.start, end: piece.end, tokens: open.tokens + piece.tokens };
      continue;
    }
    if (open !== undefined) yield open;
    open = piece;
    openBlock = block;
  }
  if (open !== undefined) yield open;
}

/** Numbers the blocks of a Markdown text; offsets are asked for in order, and all of them cost one pass. */
function createBlockAt(text: string): (offset: number) => number {
  let block = 0;
  let lineEnd = 0;
  /** What closes the fence that is open. */
  let fence: string | undefined;
  let wasTable = false;
  let ended = false;

  const readLine = (): void => {
    const newline = text.indexOf('\n', lineEnd);
    const end = newline < 0 ? text.length : newline + 1;
    const line = text.slice(lineEnd, Math.min(end, lineEnd + LONGEST_LOOK));
    lineEnd = end;
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) === true) {
        fence = undefined;
        ended = true;
      }
      return;
    }
    const isTable = TABLE_ROW.test(line);
    if (ended || mark !== undefined || isTable !== wasTable || BLANK.test(line)) block++;
    ended = false;
    wasTable = isTable;
    fence = mark;
  };

  return (offset) => {
    while (lineEnd <= offset && lineEnd < text.length) readLine();
    return block;
  };
}
