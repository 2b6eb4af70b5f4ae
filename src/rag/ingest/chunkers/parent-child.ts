import { createChunkAt, sectionStartsOf } from './chunk-at.ts';
import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import { packPieces } from './pack-pieces.ts';
import { packLimits } from './recursive.ts';
import { sentencePieces } from './sentence-pieces.ts';

/** Of the maximum of a child or parent: from here on it takes no more. */
const TARGET_SHARE = 0.6;

/** Small chunks whose passage is the large one around them; parents end where children end. */
export function* parentChild(
  source: ChunkSource,
  tools: ChunkerTools,
  { childTokens, parentTokens }: { childTokens: number; parentTokens: number },
): Generator<TextChunk> {
  const chunkAt = createChunkAt(source);
  const starts = sectionStartsOf(source);
  const children = packPieces(sentencePieces(source, tools, childTokens), limitsOf(childTokens), starts);
  for (const parent of packPieces(children, limitsOf(parentTokens), starts)) {
    for (const child of parent.parts) yield chunkAt(child, parent);
  }
}

function limitsOf(maxTokens: number): ReturnType<typeof packLimits> {
  return packLimits({ targetTokens: Math.ceil(maxTokens * TARGET_SHARE), maxTokens });
}
