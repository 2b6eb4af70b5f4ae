import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLanceIndex } from '../../../src/stores/lance/lance-index.ts';
import { chunkIndexContract } from './chunk-index.contract.ts';

chunkIndexContract('lance', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sekisho-lance-'));
  return {
    open: () => createLanceIndex({ folder: join(folder, 'index') }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
