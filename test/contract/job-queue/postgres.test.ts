import { describe } from 'bun:test';
import { openPostgres } from '../../support/open-postgres.ts';
import { postgresAvailable, postgresMissing, startPostgres } from '../../support/postgres-server.ts';
import { databaseFixture } from './database-fixture.ts';
import { jobQueueContract } from './job-queue.contract.ts';

if (postgresAvailable) {
  jobQueueContract('postgres', async () => {
    const server = await startPostgres();
    const [one, two] = [openPostgres(server), openPostgres(server)];
    return databaseFixture([one, two], async () => {
      await one.close();
      await two.close();
      await server.stop();
    });
  });
} else {
  describe.skip(`job queue: postgres${postgresMissing}`, () => undefined);
}
