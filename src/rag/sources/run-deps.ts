import type { Clock } from '../../lib/clock.ts';
import type { Documents } from '../documents.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import type { ParseFile } from '../ingest/parse/parse-file.ts';
import type { SourceItems } from './source-items.ts';
import type { SourceStore } from './source-store.ts';

/** What one run may take at most. What is left is taken by the next. */
export interface RunBounds {
  items: number;
  /** Of content that is fetched. */
  bytes: number;
  ms: number;
  /** Items that are fetched at once. */
  concurrency: number;
}

export const DEFAULT_RUN_BOUNDS: RunBounds = {
  items: 100_000,
  bytes: 4 * 1024 ** 3,
  ms: 6 * 3_600_000,
  concurrency: 4,
};

export interface RunSourceDeps {
  items: SourceItems;
  store: Pick<SourceStore, 'get' | 'memory' | 'remember'>;
  documents: Pick<Documents, 'known'>;
  ingest: Pick<Ingest, 'index' | 'remove' | 'check'>;
  parseFile: ParseFile;
  clock: Clock;
  bounds: RunBounds;
  /** An error of ours that became the reason of an item. */
  onError: (error: unknown) => void;
}
