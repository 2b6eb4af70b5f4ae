import { z } from 'zod';
import {
  detailedEvaluationSchema,
  draftCasesSchema,
  evaluateSchema,
  evaluationSchema,
  goldenCasePageQuery,
  putGoldenCasesSchema,
  shownGoldenCaseSchema,
} from './contract/evaluations.ts';
import { taskAcceptedSchema } from './contract/jobs.ts';
import type { Operation } from './operation.ts';

const tag = 'Evaluation';
const collection = '/v1/collections/{collection}';
const task = { tag, answer: taskAcceptedSchema, status: 202 } as const;

/** Golden sets and evaluations as the description of the interface tells them. */
export const EVALUATION_OPERATIONS: readonly Operation[] = [
  {
    method: 'get',
    path: `${collection}/golden-set`,
    tag,
    summary: 'The questions of the golden set, by pages',
    query: goldenCasePageQuery,
    answer: z.object({ data: z.array(shownGoldenCaseSchema), has_more: z.boolean() }),
  },
  {
    method: 'post',
    path: `${collection}/golden-set`,
    tag,
    summary: 'Add questions to the golden set, or replace those of the same id',
    body: putGoldenCasesSchema,
    answer: z.object({ ids: z.array(z.string()), cases: z.int().describe('In the whole set.') }),
  },
  {
    method: 'delete',
    path: `${collection}/golden-set`,
    tag,
    summary: 'Empty the golden set',
    answer: z.object({ deleted: z.int() }),
  },
  {
    method: 'delete',
    path: `${collection}/golden-set/{id}`,
    tag,
    summary: 'Remove a question from the golden set',
    answer: z.object({ id: z.string(), deleted: z.literal(true) }),
  },
  {
    method: 'post',
    path: `${collection}/golden-set/draft`,
    summary: 'Have a model draft questions from the documents, in the background',
    body: draftCasesSchema,
    ...task,
  },
  {
    method: 'post',
    path: `${collection}/evaluations`,
    summary: 'Evaluate the collection on its golden set, in the background',
    body: evaluateSchema,
    ...task,
  },
  {
    method: 'post',
    path: `${collection}/tune`,
    summary: 'Look for better search settings on the golden set, in the background',
    body: evaluateSchema,
    ...task,
  },
  {
    method: 'get',
    path: `${collection}/evaluations`,
    tag,
    summary: 'Evaluations, newest first',
    answer: z.object({ data: z.array(evaluationSchema) }),
  },
  {
    method: 'get',
    path: `${collection}/evaluations/{id}`,
    tag,
    summary: 'One evaluation with the figures of each question',
    answer: detailedEvaluationSchema,
  },
];
