import type { ChunkRow, IndexRef } from '../../../src/ports/chunk-index.ts';
import { createLanceIndex } from '../../../src/stores/lance/lance-index.ts';

export const REF: IndexRef = { tenantId: 'ten_test', collection: 'crash', version: 1 };

/** The chunks of a document in its n-th version: 1 to 5 of them. */
export function chunksOf(documentId: string, generation: number): ChunkRow[] {
  return Array.from({ length: 1 + ((generation * 2) % 5) }, (_, i) => ({
    chunkId: `${documentId}#${i}`,
    documentId,
    ordinal: i,
    start: i,
    end: i + 1,
    headingPath: [],
    terms: `word of${documentId} gen${generation}`,
    vector: Float32Array.from([1, 0, 0, 0]),
    tags: ['a=1'],
  }));
}

/** Writes until it is killed; a line on stdout acknowledges `<document> <generation>`. */
async function main(folder: string, first: number): Promise<void> {
  const index = createLanceIndex({ folder });
  for (let n = first; ; n++) {
    const added = `d${n}`;
    await index.replace(REF, [added], chunksOf(added, 1), false);
    process.stdout.write(`${added} 1\n`);
    const changed = `d${Math.floor(n / 2)}`;
    for (let generation = 1; generation <= 3; generation++) {
      await index.replace(REF, [changed], chunksOf(changed, generation), false);
      process.stdout.write(`${changed} ${generation}\n`);
    }
    if (n % 5 === 0) void index.optimise(REF);
  }
}

if (import.meta.main) await main(Bun.argv[2] ?? '', Number(Bun.argv[3]));
