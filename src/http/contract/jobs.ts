import { z } from 'zod';
import { indexRequestSchema } from './documents.ts';
import { queryRequestSchema } from './query.ts';

const priority = z
  .int()
  .min(0)
  .max(9)
  .optional()
  .describe('0 (last) to 9 (first); 5 where none is given, and at most 5 for keys that are no administrators.');
const state = z.enum(['waiting', 'active', 'done', 'failed', 'cancelled']);
const queue = z.enum(['indexing', 'embedding', 'query']);

/** Body of `POST /v1/query_async`. */
export const queryAsyncRequestSchema = z.strictObject({
  ...queryRequestSchema.omit({ stream: true }).shape,
  priority,
});

/** Body of `POST /v1/batch_index` as JSON; as a form, it has files and the other fields. */
export const batchIndexRequestSchema = indexRequestSchema.extend({
  documents: indexRequestSchema.shape.documents.max(10_000),
  priority,
});

/** What was accepted, and where its state is told. */
export const taskAcceptedSchema = z.object({ task_id: z.string(), status_url: z.string() });
export type TaskAccepted = z.infer<typeof taskAcceptedSchema>;

export const taskSchema = z.object({
  task_id: z.string(),
  kind: z.string(),
  queue,
  state,
  priority: z.int(),
  attempts: z.int().describe('Tries begun.'),
  max_attempts: z.int(),
  progress: z.object({
    total: z.int(),
    done: z.int(),
    failed: z.int(),
    cancelled: z.int().describe('Of a cancelled task: total without done and failed.'),
    rate: z.number().nullable().describe('Pieces per second since it began.'),
    eta_seconds: z.number().nullable().describe('What is left, at that rate.'),
    failures: z.array(z.object({ id: z.string(), reason: z.string() })).describe('The first 100.'),
  }),
  failure: z.object({ code: z.string(), message: z.string() }).nullable().describe('Why the last try failed.'),
  created_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  retry_at: z.string().nullable().describe('When the next try may begin.'),
});
export type Task = z.infer<typeof taskSchema>;

/** `GET /v1/task_status/{id}`: the task with its result. */
export const taskStatusSchema = taskSchema.extend({
  result: z.record(z.string(), z.unknown()).nullable().describe('What it made, of a task that is done.'),
});
export type TaskStatus = z.infer<typeof taskStatusSchema>;

export const taskListQuerySchema = z.object({
  state: state.optional(),
  queue: queue.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().max(64).optional().describe('The last task_id of the page before.'),
});
export const taskListSchema = z.object({ data: z.array(taskSchema), has_more: z.boolean() });

export const taskEventsQuerySchema = z.object({
  interval_ms: z.coerce.number().int().min(100).max(10_000).default(500).describe('Least time between two events.'),
});
