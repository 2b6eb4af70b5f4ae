import { requireAdmin } from '../access/permissions.ts';
import type { Clock } from '../lib/clock.ts';
import { numberAt, parseJson, stringAt } from '../lib/json.ts';
import type { JobRun } from '../ports/jobs.ts';
import { acceptDocument, type NewDocument } from '../rag/ingest/accept-document.ts';
import type { Ingest } from '../rag/ingest/ingest-documents.ts';
import type { IngestFiles } from '../rag/ingest/ingest-files.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import { SekishoError } from '../spec/errors.ts';
import { newId } from '../spec/ids.ts';
import { hasEnded, type JobId, type JobProgress, type JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';
import { indexStaged, stagedAccess, stagedDocument, stagedFile } from './index-staged.ts';
import type { JobRoom } from './open-jobs.ts';
import type { StagedItems, Tally } from './staged-items.ts';

export const BATCH_INDEX = 'batch_index';

/** What is to be indexed in the background: documents, or files that are parsed when their turn comes. */
export interface Batch {
  principal: Principal;
  collection: string;
  content:
    | { documents: readonly NewDocument[] }
    | { files: readonly { name: string; bytes: Uint8Array }[]; access?: DocumentAccess | null };
  priority?: number;
}

export interface BatchIndexDeps {
  jobs: Pick<JobRoom, 'submit' | 'handle' | 'get'>;
  staged: StagedItems;
  ingest: Pick<Ingest, 'index'>;
  ingestFiles: IngestFiles;
  clock: Clock;
}

export interface BatchIndex {
  /**
   * Accepts a batch: every document is judged, then stored, then the job is there.
   * @throws SekishoError forbidden, invalid_request, rate_limited, storage_unavailable; then nothing was accepted.
   */
  submit(batch: Batch): Promise<JobRecord>;
}

/** What one step takes: few enough that a cancelled job stops soon, enough for a good batch of the index. */
const PAGE = { items: 256, characters: 4_000_000 };
/** Pieces whose job never came to be are kept for so long. */
const ORPHAN_MS = 3_600_000;
const JOBS_PER_LOOK = 500;

/**
 * Indexing in the background. What is accepted is stored first, piece by piece; each piece is indexed, unchanged,
 * failed with its reason or cancelled, and that is noted when it has happened. After a crash the pieces that wait are
 * done: one that was indexed and not yet noted is found unchanged.
 */
export function createBatchIndex(deps: BatchIndexDeps): BatchIndex {
  const { jobs, staged, clock } = deps;

  async function run({ job, principal, signal, requestId, report }: JobRun) {
    requireAdmin(principal, 'index documents');
    const collection = stringAt(job.input, 'collection') ?? '';
    const files = stringAt(job.input, 'as') === 'files';
    const kept = job.input['access'];
    const access = kept !== undefined && { access: stagedAccess(kept) };
    await staged.revive(job.id);
    let tally = await staged.tally(job.id);
    if (tally.total < (numberAt(job.input, 'items') ?? 0)) throw gone();
    report(progressOf(tally));

    let left = 0;
    let reason = '';
    for (let after = -1; ;) {
      if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
      const page = await staged.waiting(job.id, { after, ...PAGE });
      if (page.length === 0) break;
      after = page.at(-1)?.ordinal ?? after;
      const request = { principal, collection, signal, requestId };
      const { outcomes, later } = await indexStaged(deps, { request, items: page, files, ...access });
      await staged.settle(job.id, outcomes);
      tally = await staged.tally(job.id);
      report(progressOf(tally));
      left += later.length;
      reason ||= later[0]?.reason ?? '';
      // Where nothing of a whole page could be done now, the next page fares no better.
      if (later.length === page.length) break;
    }
    if (left > 0) throw new SekishoError('not_indexed_yet', { values: { waiting: tally.waiting, reason } });
    const { indexed, unchanged, failed, chunks, failures } = tally;
    return { collection_name: collection, indexed, unchanged, failed, chunks, failures };
  }

  /** What a crash left: pieces of jobs that ended while nobody was told, and pieces without a job. */
  async function tidy(): Promise<void> {
    for (let after = ''; ;) {
      const page = await staged.jobs(after, JOBS_PER_LOOK);
      if (page.length === 0) return;
      after = page.at(-1)?.id ?? after;
      for (const { id, tenantId, createdMs, waiting } of page) {
        const job = await jobs.get(tenantId, id);
        if (job === undefined) {
          if (clock.nowMs() - createdMs > ORPHAN_MS) await staged.remove(id);
        } else if (job.state === 'failed') {
          if (waiting > 0) await staged.giveUp(id, { state: 'failed', reason: job.failure?.message ?? '' });
        } else if (hasEnded(job.state)) await staged.remove(id);
      }
    }
  }

  jobs.handle(BATCH_INDEX, {
    run,
    tidy,
    onGivenUp: async ({ id }, end) => {
      await staged.giveUp(id, end);
      return progressOf(await staged.tally(id));
    },
  });

  return {
    submit: async ({ principal, collection, content, priority }) => {
      requireAdmin(principal, 'index documents');
      const id: JobId = newId('job', clock.nowMs());
      const as = 'files' in content ? 'files' : 'documents';
      const items = 'files' in content ? content.files.map(stagedFile) : judged(content.documents);
      refuseRepeated(items);
      await staged.put({ id, tenantId: principal.tenantId }, items);
      const { tenantId, keyId } = principal;
      const access =
        'files' in content && content.access !== undefined ? parseJson(JSON.stringify(content.access)) : undefined;
      const input = { collection, as, items: items.length, ...(access !== undefined && { access }) };
      return jobs.submit({
        id,
        tenantId,
        keyId,
        queue: 'indexing',
        kind: BATCH_INDEX,
        input,
        total: items.length,
        ...(priority !== undefined && { priority }),
      });
    },
  };
}

/** How far a batch is, as its job shows it. */
function progressOf({ total, indexed, unchanged, failed, failures }: Tally): JobProgress {
  return { total, done: indexed + unchanged, failed, failures };
}

/** Documents as they are stored, each with the id that it will have. */
function judged(documents: readonly NewDocument[]): { id: string; payload: string }[] {
  return documents.map((document) => stagedDocument({ ...document, id: acceptDocument(document).id }));
}

function refuseRepeated(items: readonly { id: string }[]): void {
  const seen = new Set<string>();
  for (const { id } of items) {
    if (seen.has(id)) {
      const problem = `"${id.slice(0, 100)}" comes twice`;
      throw new SekishoError('invalid_request', { values: { problem }, param: 'documents' });
    }
    seen.add(id);
  }
}

function gone(): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: 'what was to be indexed is not stored any more' } });
}
