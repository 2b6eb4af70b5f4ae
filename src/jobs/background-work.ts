import type { Keys } from '../access/keys.ts';
import type { Database } from '../ports/database.ts';
import type { Ingest } from '../rag/ingest/ingest-documents.ts';
import type { IngestFiles } from '../rag/ingest/ingest-files.ts';
import type { TenantId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { createBatchIndex, type BatchIndex } from './batch-index.ts';
import { openJobs, type JobRoom, type JobsOptions } from './open-jobs.ts';
import { createQueryJobs, type QueryJobDeps, type QueryJobs } from './query-job.ts';
import { createStagedItems } from './staged-items.ts';

export interface BackgroundWork {
  jobs: JobRoom;
  batchIndex: BatchIndex;
  queryJobs: QueryJobs;
}

export interface OwnWorkDeps extends Omit<QueryJobDeps, 'jobs'> {
  jobs: JobRoom;
  database: Database;
  ingest: Ingest;
  ingestFiles: IngestFiles;
  clock: JobsOptions['clock'];
}

/** The room of jobs; whoever has work of a kind of its own registers a handler before the workers start. */
export function createJobs(options: Omit<JobsOptions, 'principalOf'> & { keys: Pick<Keys, 'principal'> }): JobRoom {
  const { keys, ...rest } = options;
  return openJobs({
    ...rest,
    principalOf: async (tenantId, keyId) =>
      keyId === OWN_KEY ? ownPrincipal(tenantId) : await keys.principal(tenantId, keyId),
  });
}

/** Registers the work that comes over HTTP: batches of documents and questions. */
export function createBackgroundWork(deps: OwnWorkDeps): BackgroundWork {
  const { jobs, database, clock } = deps;
  const staged = createStagedItems({ database, clock });
  return {
    jobs,
    batchIndex: createBatchIndex({ ...deps, staged }),
    queryJobs: createQueryJobs(deps),
  };
}

/** In whose name the process itself works. */
const OWN_KEY = 'key_process';

function ownPrincipal(tenantId: TenantId): Principal {
  return { tenantId, keyId: OWN_KEY, name: 'Sekisho', role: 'admin', allowedRoutes: [], limits: {} };
}
