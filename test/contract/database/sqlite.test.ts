import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteDatabase } from '../../../src/stores/sqlite/sqlite-database.ts';
import { databaseContract } from './database.contract.ts';

databaseContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-database-'));
  const path = join(folder, 'state.db');
  const database = createSqliteDatabase({ path });
  return {
    database,
    other: createSqliteDatabase({ path }),
    bytesType: 'BLOB',
    stop: async () => {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
});
