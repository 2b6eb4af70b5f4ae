import type { ChunkIndex } from '../../ports/chunk-index.ts';

/**
 * An index that is made at its first use: the engine behind it takes tens of megabytes and a tenth of a
 * second, which a process that only passes model calls on never needs.
 */
export function createLazyIndex(make: () => Promise<ChunkIndex>): ChunkIndex {
  let made: Promise<ChunkIndex> | undefined;
  const index = (): Promise<ChunkIndex> => (made ??= make());
  return {
    replace: async (...args) => (await index()).replace(...args),
    retag: async (...args) => (await index()).retag(...args),
    searchLexical: async (...args) => (await index()).searchLexical(...args),
    searchDense: async (...args) => (await index()).searchDense(...args),
    count: async (...args) => (await index()).count(...args),
    documentIds: async (...args) => (await index()).documentIds(...args),
    optimise: async (...args) => (await index()).optimise(...args),
    purge: async (...args) => (await index()).purge(...args),
    drop: async (...args) => (await index()).drop(...args),
    close: async () => (await made)?.close(),
  };
}
