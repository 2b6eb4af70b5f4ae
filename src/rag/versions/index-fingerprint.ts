import type { CollectionSettings } from '../../spec/collection.ts';
import { chunkerId } from '../ingest/chunkers/chunker-of.ts';
import { TAGS_VERSION } from '../tags.ts';

/** What decides what an index holds. Rows of two fingerprints are never mixed in one index. */
export interface FingerprintDeps {
  /** What identifies the model behind an embedding route for good. */
  fingerprintOf: (embeddingRoute: string) => string;
  analyser: { id: string };
}

/** What this software makes of index settings: model, tokeniser, chunker and tags, by name and version. */
export function indexFingerprint(deps: FingerprintDeps, index: CollectionSettings['index']): string {
  const model = deps.fingerprintOf(index.embeddingRoute);
  return `${model} ${deps.analyser.id} ${chunkerId(index.chunker)} tags-${TAGS_VERSION}`;
}
