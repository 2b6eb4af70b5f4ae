import { z } from 'zod';
import type { JobQueueName } from '../spec/job.ts';

const workers = z.int().min(0).max(64).optional();

/** The section `jobs` of the configuration. */
export const jobsSchema = z
  .strictObject({
    store: z
      .enum(['database', 'redis'])
      .optional()
      .describe('Where jobs are kept. Default: Redis (BullMQ) where it is configured, else the database.'),
    workers: z
      .strictObject({
        indexing: workers.describe('Default 1.'),
        embedding: workers.describe('Default 1.'),
        query: workers.describe('Default 4.'),
      })
      .optional()
      .describe('Jobs at once in this process, by queue; 0 leaves a queue to other processes.'),
    lease_s: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .describe('A worker that was not heard of for so long has lost its job to another. Default 20.'),
    retention_days: z.number().min(0.01).max(3_650).optional().describe('How long ended jobs are kept. Default 7.'),
    max_open: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Jobs of one tenant that may wait or run; more are refused with 429. Default 1000.'),
  })
  .optional()
  .describe('Work in the background.');

export interface JobSettings {
  store: 'database' | 'redis';
  workers: Record<JobQueueName, number>;
  leaseMs: number;
  retentionMs: number;
  maxOpen: number;
}

const DAY_MS = 86_400_000;

/** Settings of background work; without Redis there is only the database to keep jobs in. */
export function jobSettings(section: z.infer<typeof jobsSchema>, hasRedis: boolean): JobSettings {
  return {
    store: hasRedis ? (section?.store ?? 'redis') : 'database',
    workers: {
      indexing: section?.workers?.indexing ?? 1,
      embedding: section?.workers?.embedding ?? 1,
      query: section?.workers?.query ?? 4,
    },
    leaseMs: (section?.lease_s ?? 20) * 1_000,
    retentionMs: (section?.retention_days ?? 7) * DAY_MS,
    maxOpen: section?.max_open ?? 1_000,
  };
}
