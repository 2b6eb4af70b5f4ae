import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteDatabase } from '../../../src/stores/sqlite/sqlite-database.ts';
import { databaseFixture } from './database-fixture.ts';
import { jobQueueContract } from './job-queue.contract.ts';

jobQueueContract('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-jobs-'));
  const path = join(folder, 'state.db');
  const [one, two] = [createSqliteDatabase({ path }), createSqliteDatabase({ path })];
  return databaseFixture([one, two], async () => {
    await one.close();
    await two.close();
    rmSync(folder, { recursive: true });
  });
});
