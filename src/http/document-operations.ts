import { z } from 'zod';
import {
  changeCollectionSchema,
  collectionSchema,
  copyCollectionSchema,
  createCollectionSchema,
  swapSchema,
} from './contract/collections.ts';
import { amendRequestSchema } from './contract/documents.ts';
import type { Operation } from './operation.ts';

const id = z.object({ id: z.string(), deleted: z.literal(true) });

/** Collections and their documents. */
export const DOCUMENT_OPERATIONS: readonly Operation[] = [
  { method: 'get', path: '/v1/collections', tag: 'Documents', summary: 'Collections with their counts' },
  {
    method: 'post',
    path: '/v1/collections',
    tag: 'Documents',
    summary: 'Make a collection with settings',
    body: createCollectionSchema,
    answer: collectionSchema,
    status: 201,
  },
  {
    method: 'get',
    path: '/v1/collections/{collection}',
    tag: 'Documents',
    summary: 'One collection: settings, statistics, its indexes and how far they are',
    answer: collectionSchema,
  },
  {
    method: 'patch',
    path: '/v1/collections/{collection}',
    tag: 'Documents',
    summary: 'Change settings, or the name; a change of settings.index builds an index beside the live one',
    body: changeCollectionSchema,
    answer: collectionSchema,
  },
  {
    method: 'post',
    path: '/v1/collections/{collection}/copy',
    tag: 'Documents',
    summary: 'Copy documents and settings into a new collection, which is indexed after the answer',
    body: copyCollectionSchema,
    answer: collectionSchema,
    status: 202,
  },
  {
    method: 'post',
    path: '/v1/collections/{collection}/rebuild',
    tag: 'Documents',
    summary: 'Build the index anew beside the live one, or go on with one that failed',
    answer: collectionSchema,
    status: 202,
  },
  {
    method: 'delete',
    path: '/v1/collections/{collection}/shadow',
    tag: 'Documents',
    summary: 'Give up the index that is being built',
    answer: collectionSchema,
  },
  {
    method: 'post',
    path: '/v1/collections/{collection}/swap',
    tag: 'Documents',
    summary: 'Make the index live that waits',
    body: swapSchema,
    answer: collectionSchema,
  },
  {
    method: 'post',
    path: '/v1/collections/{collection}/rollback',
    tag: 'Documents',
    summary: 'Bring the index before up to date and make it live again',
    answer: collectionSchema,
    status: 202,
  },
  {
    method: 'delete',
    path: '/v1/collections/{collection}',
    tag: 'Documents',
    summary: 'Delete a collection and everything in it',
  },
  {
    method: 'get',
    path: '/v1/collections/{collection}/documents',
    tag: 'Documents',
    summary: 'Documents of a collection',
    query: z.object({ after: z.string().optional(), limit: z.int().min(1).max(1_000).default(100) }),
  },
  {
    method: 'get',
    path: '/v1/collections/{collection}/documents/{id}',
    tag: 'Documents',
    summary: 'One document with its text',
  },
  {
    method: 'patch',
    path: '/v1/collections/{collection}/documents/{id}',
    tag: 'Documents',
    summary: 'Change who may find a document, or its metadata; its text stays as it is',
    body: amendRequestSchema,
  },
  {
    method: 'delete',
    path: '/v1/collections/{collection}/documents/{id}',
    tag: 'Documents',
    summary: 'Delete a document with everything made from it',
    answer: id,
  },
];
