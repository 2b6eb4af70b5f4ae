import { expect, test } from 'bun:test';
import { migrate } from '../migrate.ts';
import type { JobHandler, JobRun } from '../ports/jobs.ts';
import type { IngestOutcome, IngestRequest } from '../rag/ingest/ingest-documents.ts';
import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { JobId, JobProgress, JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { createBatchIndex } from './batch-index.ts';
import { jobMigrations } from './schema.ts';
import { createStagedItems } from './staged-items.ts';

const ADMIN: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};
const HOUR_MS = 3_600_000;

/** Batches over a real store of pieces; jobs are what a test says. */
async function openBatches(index: (request: IngestRequest) => Promise<IngestOutcome>) {
  let nowMs = 1_000_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const database = createSqliteDatabase({ path: ':memory:' });
  await migrate(database, jobMigrations);
  const known = new Map<JobId, JobRecord>();
  let handler: JobHandler | undefined;
  let refuses = false;
  const staged = createStagedItems({ database, clock });
  const batches = createBatchIndex({
    jobs: {
      handle: (_, given) => {
        handler = given;
      },
      get: (_, id) => Promise.resolve(known.get(id)),
      submit: ({ id = 'job_none', ...work }) => {
        if (refuses) return Promise.reject(new SekishoError('storage_unavailable'));
        const progress = { total: work.total ?? 0, done: 0, failed: 0, failures: [] };
        const times = { createdMs: nowMs, startedMs: null, finishedMs: null, notBeforeMs: nowMs };
        const counts = { priority: 5, attempts: 1, maxAttempts: 3, result: null, failure: null };
        const job: JobRecord = { id, ...work, ...counts, state: 'active', progress, ...times };
        known.set(id, job);
        return Promise.resolve(job);
      },
    },
    staged,
    ingest: { index },
    ingestFiles: () => Promise.reject(new Error('no files here')),
    clock,
  });
  const run = async (job: JobRecord, signal = new AbortController().signal) => {
    const reports: JobProgress[] = [];
    const given: JobRun = {
      job,
      principal: ADMIN,
      requestId: 'req_a',
      signal,
      isLastTry: false,
      report: (progress) => void reports.push(progress),
    };
    const result = await handler?.run(given).catch((thrown: unknown) => thrown);
    return { result, reports };
  };
  return {
    batches,
    staged,
    run,
    known,
    tidy: () => handler?.tidy?.(),
    refuse: () => {
      refuses = true;
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    payloads: () => database.all("SELECT payload FROM staged_items WHERE payload IS NOT NULL OR state = 'waiting'"),
    rows: () => database.all('SELECT job_id FROM staged_items'),
  };
}

const documents = Array.from({ length: 600 }, (_, at) => ({ id: `doc-${at}`, content: `text ${at}` }));

test('a batch is done page by page; what is noted is not done again, and what it held is let go of', async () => {
  const seen: string[] = [];
  let breaks = true;
  const stage = await openBatches((request) => {
    if (breaks && seen.length > 0) return Promise.reject(new SekishoError('storage_unavailable'));
    const ids = request.documents.map(({ id }) => id ?? '');
    seen.push(...ids);
    const failed = ids.filter((id) => id === 'doc-7').map((id) => ({ id, reason: 'cannot be read' }));
    return Promise.resolve({ indexed: ids.length - failed.length, unchanged: 0, failed, chunks: ids.length });
  });
  const job = await stage.batches.submit({ principal: ADMIN, collection: 'gates', content: { documents } });
  expect((await stage.run(job)).result).toMatchObject({ code: 'storage_unavailable' });
  breaks = false;
  const { result, reports } = await stage.run(job);
  expect(seen).toEqual(documents.map(({ id }) => id));
  expect(result).toMatchObject({ indexed: 599, unchanged: 0, failed: 1, chunks: 600 });
  const failures = [{ id: 'doc-7', reason: 'cannot be read' }];
  expect(reports.at(-1)).toEqual({ total: 600, done: 599, failed: 1, failures });
  expect(await stage.payloads()).toEqual([]);
});

test('what a crash left is cleared away: pieces of jobs that ended or never came to be, never those of a failed one', async () => {
  const stage = await openBatches(() => Promise.resolve({ indexed: 0, unchanged: 0, failed: [], chunks: 0 }));
  const submit = () =>
    stage.batches.submit({ principal: ADMIN, collection: 'gates', content: { documents: documents.slice(0, 3) } });
  const [done, failed, open] = [await submit(), await submit(), await submit()];
  stage.known.set(done.id, { ...done, state: 'cancelled' });
  stage.known.set(failed.id, {
    ...failed,
    state: 'failed',
    failure: { code: 'internal', message: 'its worker ended' },
  });
  stage.refuse();
  await expect(submit()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(await stage.rows()).toHaveLength(12);
  await stage.tidy();
  expect(await stage.rows()).toHaveLength(9);
  stage.pass(2 * HOUR_MS);
  await stage.tidy();
  expect(await stage.rows()).toHaveLength(6);
  expect(await stage.staged.tally(failed.id)).toMatchObject({
    waiting: 0,
    failed: 3,
    failures: documents.slice(0, 3).map(({ id }) => ({ id, reason: 'its worker ended' })),
  });
  // Kept for another try.
  expect(await stage.payloads()).toHaveLength(6);
  expect(await stage.staged.tally(open.id)).toMatchObject({ waiting: 3 });
});
