import { blockPieces } from './block-pieces.ts';
import { createChunkAt, sectionStartsOf } from './chunk-at.ts';
import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import { headedPieces } from './headed-pieces.ts';
import { packPieces } from './pack-pieces.ts';

/**
 * One chunk per section, headings without text of their own together with the section below them. A section of
 * more than `maxTokens` is cut between paragraphs, lists, tables and fenced code, and inside one of them between
 * sentences and lines only where it alone is larger.
 */
export function* structure(
  source: ChunkSource,
  tools: ChunkerTools,
  { maxTokens }: { maxTokens: number },
): Generator<TextChunk> {
  const chunkAt = createChunkAt(source);
  const pieces = headedPieces(blockPieces(source, tools, maxTokens), source, maxTokens);
  // Nothing but the next heading or the maximum ends a section, and none is too short to stand alone.
  const limits = { targetTokens: maxTokens, maxTokens, minTokens: 0 };
  for (const pack of packPieces(pieces, limits, sectionStartsOf(source))) yield chunkAt(pack);
}
