import type { z } from 'zod';
import {
  batchIndexRequestSchema,
  queryAsyncRequestSchema,
  taskAcceptedSchema,
  taskEventsQuerySchema,
  taskListQuerySchema,
  taskListSchema,
  taskStatusSchema,
} from './contract/jobs.ts';

/** An address of background work, as the description of the API lists it. */
interface JobOperation {
  method: 'get' | 'post';
  path: string;
  tag: string;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  answer?: z.ZodType;
  media?: 'text';
  status?: 202;
}

/** The addresses of background work. */
export const JOB_OPERATIONS: readonly JobOperation[] = [
  {
    method: 'post',
    path: '/v1/query_async',
    tag: 'Tasks',
    summary: 'Answer a question in the background; the answer is the result of the task',
    body: queryAsyncRequestSchema,
    answer: taskAcceptedSchema,
    status: 202,
  },
  {
    method: 'post',
    path: '/v1/batch_index',
    tag: 'Tasks',
    summary: 'Index documents in the background; as multipart/form-data with collection_name and files as well',
    body: batchIndexRequestSchema,
    answer: taskAcceptedSchema,
    status: 202,
  },
  {
    method: 'get',
    path: '/v1/task_status/{id}',
    tag: 'Tasks',
    summary: 'How a task stands, and what it made',
    answer: taskStatusSchema,
  },
  {
    method: 'get',
    path: '/v1/tasks',
    tag: 'Tasks',
    summary: 'Own tasks, those of the whole tenant for administrators; newest first',
    query: taskListQuerySchema,
    answer: taskListSchema,
  },
  {
    method: 'get',
    path: '/v1/tasks/{id}/events',
    tag: 'Tasks',
    summary: 'The course of a task as server-sent events: progress whenever something changes, then end',
    query: taskEventsQuerySchema,
    media: 'text',
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/cancel',
    tag: 'Tasks',
    summary: 'Cancel a task; what it has done stays',
    answer: taskStatusSchema,
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/retry',
    tag: 'Tasks',
    summary: 'Try a failed task again, with all its tries',
    answer: taskStatusSchema,
  },
];
