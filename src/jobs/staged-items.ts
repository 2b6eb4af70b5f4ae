import type { Clock } from '../lib/clock.ts';
import type { Database } from '../ports/database.ts';
import type { TenantId } from '../spec/ids.ts';
import { MAX_FAILURES, type JobId } from '../spec/job.ts';

/** A piece of a job: what it is called, and everything that is needed to do it. */
export interface StagedItem {
  ordinal: number;
  id: string;
  payload: string;
}

/** What became of a piece. */
export interface ItemOutcome {
  ordinal: number;
  state: 'indexed' | 'unchanged' | 'failed';
  reason?: string;
  chunks?: number;
}

/** total = waiting + indexed + unchanged + failed + cancelled. */
export interface Tally {
  total: number;
  waiting: number;
  indexed: number;
  unchanged: number;
  failed: number;
  cancelled: number;
  chunks: number;
  failures: { id: string; reason: string }[];
}

export interface StagedItems {
  /** Stores the pieces of a job that is about to be submitted. */
  put(job: { id: JobId; tenantId: TenantId }, items: readonly { id: string; payload: string }[]): Promise<void>;
  /** Pieces that wait, those after `after`: at most so many, and no more text than given (one may be longer). */
  waiting(jobId: JobId, page: { after: number; items: number; characters: number }): Promise<StagedItem[]>;
  /** Notes what became of pieces, and lets go of what they held. */
  settle(jobId: JobId, outcomes: readonly ItemOutcome[]): Promise<void>;
  /** What still waits is cancelled, and let go of; or failed, and kept for another try. */
  giveUp(jobId: JobId, end: { state: 'cancelled' } | { state: 'failed'; reason: string }): Promise<void>;
  /** What was failed and kept waits again. */
  revive(jobId: JobId): Promise<void>;
  tally(jobId: JobId): Promise<Tally>;
  /** Jobs with pieces, in order of their ids, those after `after`. */
  jobs(after: string, limit: number): Promise<{ id: JobId; tenantId: TenantId; createdMs: number; waiting: number }[]>;
  remove(jobId: JobId): Promise<void>;
}

/** Pieces and characters per transaction. */
const PAGE = { items: 500, characters: 8_000_000 };
const MAX_REASON = 500;

/** The pieces of jobs, in the database. */
export function createStagedItems(options: { database: Database; clock: Clock }): StagedItems {
  const { database, clock } = options;
  return {
    put: async ({ id, tenantId }, items) => {
      const now = clock.nowMs();
      let page: { sql: string; params: (string | number)[] }[] = [];
      let characters = 0;
      for (const [ordinal, item] of items.entries()) {
        page.push({
          sql: `INSERT INTO staged_items (job_id, ordinal, tenant_id, item_id, payload, characters, state, chunks,
            created_ms) VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?)`,
          params: [id, ordinal, tenantId, item.id, item.payload, item.payload.length, now],
        });
        characters += item.payload.length;
        if (page.length < PAGE.items && characters < PAGE.characters) continue;
        await database.batch(page);
        page = [];
        characters = 0;
      }
      await database.batch(page);
    },

    waiting: async (jobId, { after, items, characters }) => {
      const sizes = await database.all<{ ordinal: number; characters: number }>(
        `SELECT ordinal, characters FROM staged_items WHERE job_id = ? AND state = 'waiting' AND ordinal > ?
         ORDER BY ordinal LIMIT ?`,
        [jobId, after, items],
      );
      let sum = 0;
      const last = sizes.filter((row, at) => (sum += row.characters) <= characters || at === 0).at(-1);
      if (last === undefined) return [];
      const rows = await database.all<{ ordinal: number; item_id: string; payload: string | null }>(
        `SELECT ordinal, item_id, payload FROM staged_items
         WHERE job_id = ? AND state = 'waiting' AND ordinal > ? AND ordinal <= ? ORDER BY ordinal`,
        [jobId, after, last.ordinal],
      );
      return rows.map((row) => ({ ordinal: row.ordinal, id: row.item_id, payload: row.payload ?? '' }));
    },

    settle: (jobId, outcomes) =>
      database.batch(
        outcomes.map(({ ordinal, state, reason, chunks }) => ({
          sql: `UPDATE staged_items SET state = ?, reason = ?, chunks = ?, payload = NULL
            WHERE job_id = ? AND ordinal = ? AND state = 'waiting'`,
          params: [state, reason?.slice(0, MAX_REASON) ?? null, chunks ?? 0, jobId, ordinal],
        })),
      ),

    giveUp: async (jobId, end) => {
      if (end.state === 'cancelled') {
        // What failed and was kept for another try is let go of as well: there will be none.
        const cancelled = "UPDATE staged_items SET state = 'cancelled', payload = NULL WHERE job_id = ?";
        await database.run(`${cancelled} AND state = 'waiting'`, [jobId]);
      } else {
        await database.run(
          "UPDATE staged_items SET state = 'failed', reason = ? WHERE job_id = ? AND state = 'waiting'",
          [end.reason.slice(0, MAX_REASON), jobId],
        );
      }
    },

    revive: async (jobId) => {
      await database.run(
        `UPDATE staged_items SET state = 'waiting', reason = NULL
         WHERE job_id = ? AND state = 'failed' AND payload IS NOT NULL`,
        [jobId],
      );
    },

    tally: async (jobId) => {
      const counts = await database.all<{ state: string; n: number; chunks: number }>(
        'SELECT state, COUNT(*) AS n, SUM(chunks) AS chunks FROM staged_items WHERE job_id = ? GROUP BY state',
        [jobId],
      );
      const of = (state: string): number => Number(counts.find((row) => row.state === state)?.n ?? 0);
      const failures =
        of('failed') === 0
          ? []
          : await database.all<{ item_id: string; reason: string | null }>(
              `SELECT item_id, reason FROM staged_items WHERE job_id = ? AND state = 'failed' ORDER BY ordinal LIMIT ?`,
              [jobId, MAX_FAILURES],
            );
      return {
        total: counts.reduce((sum, row) => sum + Number(row.n), 0),
        waiting: of('waiting'),
        indexed: of('indexed'),
        unchanged: of('unchanged'),
        failed: of('failed'),
        cancelled: of('cancelled'),
        chunks: counts.reduce((sum, row) => sum + Number(row.chunks), 0),
        failures: failures.map((row) => ({ id: row.item_id, reason: row.reason ?? '' })),
      };
    },

    jobs: async (after, limit) => {
      const rows = await database.all<{ job_id: JobId; tenant_id: TenantId; created_ms: number; waiting: number }>(
        `SELECT job_id, tenant_id, MIN(created_ms) AS created_ms,
           SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting
         FROM staged_items WHERE job_id > ? GROUP BY job_id, tenant_id ORDER BY job_id LIMIT ?`,
        [after, limit],
      );
      return rows.map((row) => ({
        id: row.job_id,
        tenantId: row.tenant_id,
        createdMs: Number(row.created_ms),
        waiting: Number(row.waiting),
      }));
    },

    remove: async (jobId) => {
      await database.run('DELETE FROM staged_items WHERE job_id = ?', [jobId]);
    },
  };
}
