import { chunkerId } from './chunkers/chunker-of.ts';

/** Names the way in which texts are cut where a collection chooses none. */
export const CHUNKER_ID = chunkerId({ kind: 'recursive', targetTokens: 300, maxTokens: 500 });
