import type { Sentence } from '../../../ports/text-analyser.ts';
import type { Heading } from '../../documents.ts';

/** A piece of a text; `start` and `end` are UTF-16 offsets, `content` is the slice between them. */
export interface TextChunk {
  start: number;
  end: number;
  content: string;
  /** What is handed on in place of the chunk, where that is more than the chunk: a span around it. */
  passage?: { start: number; end: number };
  /** Headings above the chunk, outermost first. */
  headingPath: string[];
}

/** What is cut. Headings are in order of where they start. */
export interface ChunkSource {
  text: string;
  headings: readonly Heading[];
}

/** What chunkers know of language and model. */
export interface ChunkerTools {
  sentences: (text: string) => Sentence[];
  /** Tokens as the embedding model of the collection counts them. */
  countTokens: (text: string) => number;
  /** One vector per text, in order, all of one width; asked by chunkers that go by meaning. */
  embed: (texts: readonly string[]) => Promise<readonly Float32Array[]>;
}

/**
 * A way of cutting. Chunks come in order of where they start and cover every character that is not white space;
 * no surrogate pair is cut. Work goes on as chunks are taken: what one chunk costs is bounded, however long the
 * text, so a caller can pause between them.
 */
export interface Chunker {
  /** Names the way and its measures; part of a collection's fingerprint. */
  readonly id: string;
  /** Whether `embed` is called, so that the chunker cannot work where there is no model. */
  readonly asksForVectors: boolean;
  cut(source: ChunkSource, tools: ChunkerTools): Iterable<TextChunk> | AsyncIterable<TextChunk>;
}
