import type { JobRecord } from '../spec/job.ts';
import type { HttpContext } from './http-context.ts';

/** 202: what was accepted, and where its state is told. */
export function accepted(context: HttpContext, job: JobRecord): Response {
  const statusUrl = `/v1/task_status/${job.id}`;
  return context.json({ task_id: job.id, status_url: statusUrl }, 202, { location: statusUrl });
}
