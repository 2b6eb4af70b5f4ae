import { z } from 'zod';
import {
  changeSourceSchema,
  createSourceSchema,
  deleteSourceQuery,
  sourcePageQuery,
  sourceRunPageQuery,
  sourceRunSchema,
  sourceSchema,
} from './contract/sources.ts';
import type { Operation } from './operation.ts';

const tag = 'Sources';

/** Where documents come from, and when they are fetched again. */
export const SOURCE_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/sources',
    tag,
    summary: 'Set up a source: uploads, a folder, a page, a sitemap, a crawl, a Git repository or an S3 bucket',
    body: createSourceSchema,
    answer: sourceSchema,
    status: 201,
  },
  {
    method: 'get',
    path: '/v1/sources',
    tag,
    summary: 'Sources of the tenant with their last runs',
    query: sourcePageQuery,
    answer: z.object({ data: z.array(sourceSchema), has_more: z.boolean() }),
  },
  { method: 'get', path: '/v1/sources/{id}', tag, summary: 'One source', answer: sourceSchema },
  {
    method: 'patch',
    path: '/v1/sources/{id}',
    tag,
    summary: 'Change a source; what is absent stays, and another address needs its credentials anew',
    body: changeSourceSchema,
    answer: sourceSchema,
  },
  {
    method: 'delete',
    path: '/v1/sources/{id}',
    tag,
    summary: 'Delete a source with its documents, or leave them',
    query: deleteSourceQuery,
    answer: z.object({ id: z.string(), deleted: z.literal(true) }),
  },
  {
    method: 'post',
    path: '/v1/sources/{id}/run',
    tag,
    summary: 'Begin a run now',
    answer: z.object({ id: z.string(), run: z.string() }),
    status: 202,
  },
  {
    method: 'get',
    path: '/v1/sources/{id}/runs',
    tag,
    summary: 'How runs went, newest first',
    query: sourceRunPageQuery,
    answer: z.object({ data: z.array(sourceRunSchema), has_more: z.boolean() }),
  },
  {
    method: 'post',
    path: '/v1/sources/{id}/files',
    tag,
    summary: 'Hand files to a source of uploads; the answer comes when they are in',
    media: 'multipart',
    answer: sourceRunSchema,
  },
];
