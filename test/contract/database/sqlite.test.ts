import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteDatabase } from '../../../src/stores/sqlite/sqlite-database.ts';
import { databaseContract, type DatabaseFixture } from './database.contract.ts';
import { roomsContract } from './rooms.contract.ts';

async function make(): Promise<DatabaseFixture> {
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
}

databaseContract('sqlite', make);
roomsContract('sqlite', make);
