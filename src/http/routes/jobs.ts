import { Hono } from 'hono';
import { requireAdmin } from '../../access/permissions.ts';
import type { BackgroundWork } from '../../jobs/background-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Sleep } from '../../lib/sleep.ts';
import { rightsKey } from '../../rag/access.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { JobId, JobRecord } from '../../spec/job.ts';
import type { Principal } from '../../spec/principal.ts';
import {
  batchIndexRequestSchema,
  queryAsyncRequestSchema,
  taskEventsQuerySchema,
  taskListQuerySchema,
} from '../contract/jobs.ts';
import { accepted } from '../accepted.ts';
import { actingByBody } from '../acting-as.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { newDocumentOf } from '../new-document.ts';
import { judge, readValid } from '../read-body.ts';
import { accessOfForm, readUpload } from '../read-upload.ts';
import { STREAM_HEADERS, streamBody } from '../stream-body.ts';
import { taskEvents } from '../task-events.ts';
import { shownTask, taskStatus } from '../shown-task.ts';
import { requireCollection } from './search.ts';

export interface JobRouteDeps {
  work: BackgroundWork;
  clock: Clock;
  sleep: Sleep;
}

const MAX_FILES = 1_000;
/** What keys that are no administrators may ask for at most. */
const MEMBER_PRIORITY = 5;
/** Streams of events at once; each looks at its job now and then. */
const MAX_STREAMS = 1_000;
const JOB_ID = /^job_[0-9a-z]{1,40}$/;

/** Work in the background: handed over, watched, cancelled, tried again. A key sees its own, administrators all. */
export function jobRoutes({ work, clock, sleep }: JobRouteDeps): Hono<HttpEnv> {
  const { jobs, batchIndex, queryJobs } = work;
  let streams = 0;

  /** The job that the path names, where it is there and this key may see it; otherwise there is nothing. */
  async function own(context: HttpContext): Promise<JobRecord> {
    const id = context.req.param('id') ?? '';
    const principal = context.get('principal');
    const job = isJobId(id) ? await jobs.get(principal.tenantId, id) : undefined;
    if (job === undefined || !maySee(principal, job)) {
      throw new SekishoError('not_found', { values: { path: context.req.path.slice(0, 200) } });
    }
    return job;
  }

  return new Hono<HttpEnv>()
    .post('/v1/query_async', async (context) => {
      const request = await readValid(context, queryAsyncRequestSchema);
      const principal = actingByBody(context.get('principal'), request.as);
      requireCollection(principal, request.collection);
      const job = await queryJobs.submit({
        principal,
        collection: request.collection,
        question: request.query,
        ...(request.top_k !== undefined && { topK: request.top_k }),
        history: request.history,
        explain: request.explain,
        ...(request.filters !== undefined && { filters: request.filters }),
        ...priorityOf(principal, request.priority),
      });
      return accepted(context, job);
    })

    .post('/v1/batch_index', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'index documents');
      if (context.req.header('content-type')?.startsWith('multipart/form-data') === true) {
        const { files, fields } = await readUpload(context, MAX_FILES);
        const { collection_name, priority } = judge(batchIndexRequestSchema.omit({ documents: true }), {
          collection_name: fields['collection_name'],
          ...(fields['priority'] !== undefined && { priority: Number(fields['priority']) }),
        });
        const access = accessOfForm(fields);
        const content = { files, ...(access !== undefined && { access }) };
        const batch = { principal, collection: collection_name, content };
        return accepted(context, await batchIndex.submit({ ...batch, ...priorityOf(principal, priority) }));
      }
      const body = await readValid(context, batchIndexRequestSchema);
      const documents = body.documents.map(newDocumentOf);
      const batch = { principal, collection: body.collection_name, content: { documents } };
      return accepted(context, await batchIndex.submit({ ...batch, ...priorityOf(principal, body.priority) }));
    })

    .get('/v1/task_status/:id', async (context) => context.json(taskStatus(await own(context), clock.nowMs())))

    .get('/v1/tasks', async (context) => {
      const principal = context.get('principal');
      if (principal.acting === true) {
        throw new SekishoError('forbidden', { values: { action: 'list tasks on behalf of somebody' } });
      }
      const { state, queue, limit, after } = judge(taskListQuerySchema, context.req.query());
      if (after !== undefined && !isJobId(after)) {
        throw new SekishoError('invalid_request', { values: { problem: 'after: not a task id' }, param: 'after' });
      }
      const found = await jobs.list(principal.tenantId, {
        limit,
        ...(state !== undefined && { state }),
        ...(queue !== undefined && { queue }),
        ...(after !== undefined && { before: after }),
        ...(principal.role !== 'admin' && { keyId: principal.keyId }),
      });
      return context.json({
        data: found.map((job) => shownTask(job, clock.nowMs())),
        has_more: found.length === limit,
      });
    })

    .post('/v1/tasks/:id/cancel', async (context) => {
      const job = await own(context);
      if (!(await jobs.cancel(job.tenantId, job.id))) throw conflict('the task has ended');
      return context.json(taskStatus(await own(context), clock.nowMs()));
    })

    .post('/v1/tasks/:id/retry', async (context) => {
      const job = await own(context);
      if (!(await jobs.replay(job.tenantId, job.id))) throw conflict('only a failed task can be tried again');
      return context.json(taskStatus(await own(context), clock.nowMs()));
    })

    .get('/v1/tasks/:id/events', async (context) => {
      const job = await own(context);
      const { interval_ms: intervalMs } = judge(taskEventsQuerySchema, context.req.query());
      if (streams >= MAX_STREAMS) throw new SekishoError('overloaded', { values: { problem: 'event streams' } });
      streams++;
      const left = new AbortController();
      const events = taskEvents({
        first: job,
        look: () => jobs.get(job.tenantId, job.id),
        intervalMs,
        clock,
        sleep,
        signal: left.signal,
      });
      const body = streamBody(events, () => {
        streams--;
        left.abort();
      });
      return new Response(body, { headers: STREAM_HEADERS });
    });
}

/** Whoever a key acts for sees what was asked for with the same rights. */
function maySee(principal: Principal, job: JobRecord): boolean {
  if (principal.acting === true) return job.keyId === principal.keyId && job.input['rights'] === rightsKey(principal);
  return principal.role === 'admin' || job.keyId === principal.keyId;
}

function priorityOf(principal: Principal, priority: number | undefined): { priority?: number } {
  if (priority === undefined) return {};
  if (priority > MEMBER_PRIORITY) requireAdmin(principal, `work of a priority above ${MEMBER_PRIORITY}`);
  return { priority };
}

function isJobId(id: string): id is JobId {
  return JOB_ID.test(id);
}

function conflict(problem: string): SekishoError {
  return new SekishoError('conflict', { values: { problem } });
}
