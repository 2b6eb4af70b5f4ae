import type { Clock } from '../../lib/clock.ts';
import type { Database, SqlValue } from '../../ports/database.ts';
import { MAX_LAPSES, type JobQueue, type LeasedJob, type LeaseState } from '../../ports/job-queue.ts';
import { boundProgress, NO_PROGRESS, type JobId, type JobProgress, type JobRecord } from '../../spec/job.ts';
import { jobOfRow, type JobRow } from './job-row.ts';

export interface DatabaseJobQueueOptions {
  database: Database;
  clock: Clock;
  /** Tells one taking of a job from every other. */
  newToken: () => string;
}

/** Candidates looked at per taking: others may be taking the first ones at the same moment. */
const CANDIDATES = 8;
const MAY_BEGIN = "state = 'waiting' AND not_before_ms <= ?";
const LAPSED = "state = 'active' AND lease_until_ms <= ?";
const ENDED = "state IN ('done', 'failed', 'cancelled')";
const OF_LEASE = "id = ? AND state = 'active' AND lease_token = ?";
/** To wait, or to be over where it was to be cancelled. */
const BACK_IN_LINE = `state = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'waiting' END,
  finished_ms = CASE WHEN cancel_requested = 1 THEN CAST(? AS BIGINT) ELSE NULL END`;
const NO_LEASE = 'lease_token = NULL, lease_until_ms = NULL';

/**
 * Jobs in the database, in the SQL that SQLite and Postgres share. A job is taken by a statement that changes it only
 * if it still may be taken, so two workers never have it at once; every verb of a lease changes the job only while the
 * lease is the one that was given. Times are those of the clock: of several machines, they differ by what their
 * clocks do, which a lease of many seconds bears.
 */
export function createDatabaseJobQueue(options: DatabaseJobQueueOptions): JobQueue {
  const { database, clock, newToken } = options;

  async function takeOne(id: JobId, leaseMs: number): Promise<LeasedJob | undefined> {
    const token = newToken();
    const now = clock.nowMs();
    const [row] = await database.all<JobRow>(
      `UPDATE jobs SET lease_token = ?, lease_until_ms = ?, started_ms = COALESCE(started_ms, ?),
         attempts = attempts + CASE WHEN state = 'waiting' THEN 1 ELSE 0 END,
         lapses = lapses + CASE WHEN state = 'waiting' THEN 0 ELSE 1 END, state = 'active'
       WHERE id = ? AND (${MAY_BEGIN} OR ${LAPSED}) RETURNING *`,
      [token, now + leaseMs, now, id, now, now],
    );
    return row && leased(jobOfRow(row), token, leaseMs);
  }

  /** What nobody works on any more and nobody shall take: it was to be cancelled, or has ended too many workers. */
  async function endLapsed(row: Pick<JobRow, 'id' | 'cancel_requested' | 'lapses'>): Promise<boolean> {
    const now = clock.nowMs();
    if (row.cancel_requested === 1) {
      await database.run(
        `UPDATE jobs SET state = 'cancelled', finished_ms = ?, ${NO_LEASE} WHERE id = ? AND ${LAPSED}`,
        [now, row.id, now],
      );
      return true;
    }
    if (row.lapses < MAX_LAPSES) return false;
    await database.run(
      `UPDATE jobs SET state = 'failed', finished_ms = ?, failure_code = 'internal', failure_message = ?, ${NO_LEASE}
       WHERE id = ? AND ${LAPSED}`,
      [now, `Its worker ended ${MAX_LAPSES} times before the work was done.`, row.id, now],
    );
    return true;
  }

  function leased(job: JobRecord, token: string, leaseMs: number): LeasedJob {
    const change = async (set: string, params: readonly SqlValue[]): Promise<boolean> => {
      const { changes } = await database.run(`UPDATE jobs SET ${set} WHERE ${OF_LEASE}`, [...params, job.id, token]);
      return changes > 0;
    };
    const keep = async (set: string, params: readonly SqlValue[]): Promise<LeaseState> => {
      const [row] = await database.all<{ cancel_requested: number }>(
        `UPDATE jobs SET ${set} WHERE ${OF_LEASE} RETURNING cancel_requested`,
        [...params, job.id, token],
      );
      if (row === undefined) return 'lost';
      return row.cancel_requested === 1 ? 'cancelled' : 'held';
    };
    const end = (set: string, params: readonly SqlValue[], progress: JobProgress | undefined): Promise<boolean> =>
      change(`${set}, progress = COALESCE(?, progress), ${NO_LEASE}`, [
        ...params,
        progress === undefined ? null : textOf(progress),
      ]);

    return {
      job,
      renew: () => keep('lease_until_ms = ?', [clock.nowMs() + leaseMs]),
      report: (progress) => keep('progress = ?', [textOf(progress)]),
      done: (result, progress) =>
        end(
          "state = 'done', finished_ms = ?, result = ?, failure_code = NULL, failure_message = NULL",
          [clock.nowMs(), JSON.stringify(result)],
          progress,
        ),
      fail: ({ failure, next, progress }) =>
        next === 'give up'
          ? end(
              "state = 'failed', finished_ms = ?, failure_code = ?, failure_message = ?",
              [clock.nowMs(), failure.code, failure.message],
              progress,
            )
          : end(
              `${BACK_IN_LINE}, not_before_ms = ?, failure_code = ?, failure_message = ?`,
              [clock.nowMs(), next.retryAtMs, failure.code, failure.message],
              progress,
            ),
      release: () => {
        const now = clock.nowMs();
        return change(`${BACK_IN_LINE}, attempts = attempts - 1, not_before_ms = ?, ${NO_LEASE}`, [now, now]);
      },
      cancelled: (progress) => end("state = 'cancelled', finished_ms = ?", [clock.nowMs()], progress),
    };
  }

  return {
    add: async (job) => {
      const now = clock.nowMs();
      await database.run(
        `INSERT INTO jobs (id, tenant_id, queue, kind, input, key_id, priority, state, attempts, max_attempts, lapses,
           progress, created_ms, not_before_ms, cancel_requested)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, 0, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING`,
        [
          job.id,
          job.tenantId,
          job.queue,
          job.kind,
          JSON.stringify(job.input),
          job.keyId,
          job.priority,
          job.maxAttempts,
          textOf({ ...NO_PROGRESS, total: job.total ?? 0 }),
          now,
          now,
        ],
      );
    },

    take: async (queue, leaseMs) => {
      const now = clock.nowMs();
      const look = (which: string): Promise<JobRow[]> =>
        database.all<JobRow>(
          `SELECT id, priority, lapses, state, cancel_requested FROM jobs WHERE queue = ? AND ${which}
           ORDER BY priority DESC, id LIMIT ${CANDIDATES}`,
          [queue, now],
        );
      const candidates = [...(await look(LAPSED)), ...(await look(MAY_BEGIN))];
      candidates.sort((left, right) => right.priority - left.priority || (left.id < right.id ? -1 : 1));
      for (const row of candidates) {
        if (row.state === 'active' && (await endLapsed(row))) continue;
        const taken = await takeOne(row.id, leaseMs);
        if (taken !== undefined) return taken;
      }
      return undefined;
    },

    get: async (tenantId, id) => {
      const [row] = await database.all<JobRow>('SELECT * FROM jobs WHERE tenant_id = ? AND id = ?', [tenantId, id]);
      return row && jobOfRow(row);
    },

    list: async (tenantId, { state, queue, keyId, before, limit }) => {
      const wanted: [string, SqlValue | undefined][] = [
        ['state = ?', state],
        ['queue = ?', queue],
        ['key_id = ?', keyId],
        ['id < ?', before],
      ];
      const given = wanted.filter((each): each is [string, SqlValue] => each[1] !== undefined);
      const rows = await database.all<JobRow>(
        `SELECT * FROM jobs WHERE ${['tenant_id = ?', ...given.map(([sql]) => sql)].join(' AND ')}
         ORDER BY id DESC LIMIT ?`,
        [tenantId, ...given.map(([, value]) => value), limit],
      );
      return rows.map(jobOfRow);
    },

    open: async (tenantId) => {
      const [row] = await database.all<{ n: number }>(
        "SELECT COUNT(*) AS n FROM jobs WHERE tenant_id = ? AND state IN ('waiting', 'active')",
        [tenantId],
      );
      return Number(row?.n ?? 0);
    },

    cancel: async (tenantId, id) => {
      const of = [tenantId, id];
      const waiting = await database.run(
        "UPDATE jobs SET state = 'cancelled', finished_ms = ? WHERE tenant_id = ? AND id = ? AND state = 'waiting'",
        [clock.nowMs(), ...of],
      );
      if (waiting.changes > 0) return true;
      const active = await database.run(
        "UPDATE jobs SET cancel_requested = 1 WHERE tenant_id = ? AND id = ? AND state = 'active'",
        of,
      );
      return active.changes > 0;
    },

    replay: async (tenantId, id) => {
      const { changes } = await database.run(
        `UPDATE jobs SET state = 'waiting', attempts = 0, lapses = 0, not_before_ms = ?, finished_ms = NULL,
           started_ms = NULL, cancel_requested = 0
         WHERE tenant_id = ? AND id = ? AND state = 'failed'`,
        [clock.nowMs(), tenantId, id],
      );
      return changes > 0;
    },

    prune: async (endedBeforeMs) => {
      const { changes } = await database.run(`DELETE FROM jobs WHERE ${ENDED} AND finished_ms < ?`, [endedBeforeMs]);
      return changes;
    },

    counts: async () => {
      const rows = await database.all<Pick<JobRow, 'queue' | 'state'> & { n: number }>(
        'SELECT queue, state, COUNT(*) AS n FROM jobs GROUP BY queue, state',
      );
      return rows.map(({ queue, state, n }) => ({ queue, state, jobs: Number(n) }));
    },

    oldestWaiting: async () => {
      const rows = await database.all<{ queue: JobRow['queue']; created_ms: number }>(
        "SELECT queue, MIN(created_ms) AS created_ms FROM jobs WHERE state = 'waiting' GROUP BY queue",
      );
      return rows.map((row) => ({ queue: row.queue, createdMs: Number(row.created_ms) }));
    },

    close: () => Promise.resolve(),
  };
}

function textOf(progress: JobProgress): string {
  return JSON.stringify(boundProgress(progress));
}
