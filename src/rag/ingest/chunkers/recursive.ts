import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import { createChunkAt, sectionStartsOf } from './chunk-at.ts';
import { packPieces, type PackLimits } from './pack-pieces.ts';
import { sentencePieces } from './sentence-pieces.ts';

/** Sections below a fifth of the target do not stand alone. */
const MIN_SHARE = 0.2;

/** At headings, then between sentences, and inside a sentence only where it alone is larger than a chunk may be. */
export function* recursive(
  source: ChunkSource,
  tools: ChunkerTools,
  measures: { targetTokens: number; maxTokens: number },
): Generator<TextChunk> {
  const chunkAt = createChunkAt(source);
  const pieces = sentencePieces(source, tools, measures.maxTokens);
  for (const pack of packPieces(pieces, packLimits(measures), sectionStartsOf(source))) yield chunkAt(pack);
}

/** The limits of packs that end between sentences. */
export function packLimits({ targetTokens, maxTokens }: { targetTokens: number; maxTokens: number }): PackLimits {
  return { targetTokens, maxTokens, minTokens: targetTokens * MIN_SHARE };
}
