import { createHeadingPath } from '../heading-path.ts';
import type { ChunkSource, TextChunk } from './chunker.ts';

interface Span {
  start: number;
  end: number;
}

/** Makes chunks of spans of one text, asked for in order of where they start. */
export function createChunkAt({ text, headings }: ChunkSource): (span: Span, passage?: Span) => TextChunk {
  const pathOf = createHeadingPath(text, headings);
  return ({ start, end }, passage) => ({
    start,
    end,
    content: text.slice(start, end),
    headingPath: pathOf(start, end),
    ...(passage && { passage: { start: passage.start, end: passage.end } }),
  });
}

/** Where the sections of a text start. */
export function sectionStartsOf({ headings }: ChunkSource): ReadonlySet<number> {
  return new Set(headings.map((heading) => heading.start));
}
