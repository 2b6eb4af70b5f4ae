import type { Clock } from '../../lib/clock.ts';
import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Database } from '../../ports/database.ts';
import type { SourceRun, SourceRunCounts, SourceRunId, SourceRunState } from './source.ts';
import type { SourceRef } from './source-store.ts';

/** The record of runs: how each went. */
export interface SourceRuns {
  /** Begins a run; one that was never ended is noted as interrupted, and the oldest ones go. */
  begin(ref: SourceRef, id: SourceRunId): Promise<void>;
  report(ref: SourceRef, id: SourceRunId, counts: SourceRunCounts): Promise<void>;
  end(
    ref: SourceRef,
    id: SourceRunId,
    end: { state: SourceRunState; reason: string | null; counts: SourceRunCounts },
  ): Promise<void>;
  get(ref: SourceRef, id: SourceRunId): Promise<SourceRun | undefined>;
  /** Newest first. */
  list(ref: SourceRef, page: { before?: string; limit: number }): Promise<SourceRun[]>;
  /** The newest run of each of the sources. */
  last(refs: readonly SourceRef[]): Promise<Map<string, SourceRun>>;
}

interface Row {
  id: SourceRunId;
  source_id: SourceRun['sourceId'];
  state: SourceRunState;
  told: string;
  started_ms: number;
  ended_ms: number | null;
}

const HERE = 'tenant_id = ? AND source_id = ?';
const KEPT_RUNS = 100;

/** Nothing done yet. */
export function noCounts(): SourceRunCounts {
  return {
    found: 0,
    changed: 0,
    unchanged: 0,
    removed: 0,
    failed: 0,
    failures: [],
    listed: { complete: false, reason: null },
    check: null,
  };
}

/** Runs over any database. */
export function createSourceRuns({ database, clock }: { database: Database; clock: Clock }): SourceRuns {
  const list: SourceRuns['list'] = async ({ tenantId, id }, { before, limit }) =>
    (
      await database.all<Row>(
        `SELECT * FROM source_runs WHERE ${HERE} AND id < ? ORDER BY id DESC LIMIT ?`,
        // Every id begins with letters, so that none comes after this.
        [tenantId, id, before ?? '~', limit],
      )
    ).map(runOf);

  return {
    begin: ({ tenantId, id: sourceId }, id) =>
      database.batch([
        {
          sql: `UPDATE source_runs SET state = 'interrupted', ended_ms = ? WHERE ${HERE} AND state = 'running'`,
          params: [clock.nowMs(), tenantId, sourceId],
        },
        {
          sql: `INSERT INTO source_runs (tenant_id, source_id, id, state, told, started_ms) VALUES (?, ?, ?, 'running', ?, ?)
            ON CONFLICT (tenant_id, source_id, id) DO UPDATE SET state = 'running', ended_ms = NULL`,
          params: [tenantId, sourceId, id, JSON.stringify(noCounts()), clock.nowMs()],
        },
        {
          sql: `DELETE FROM source_runs WHERE ${HERE} AND id NOT IN
            (SELECT id FROM source_runs WHERE ${HERE} ORDER BY id DESC LIMIT ?)`,
          params: [tenantId, sourceId, tenantId, sourceId, KEPT_RUNS],
        },
      ]),
    report: async ({ tenantId, id: sourceId }, id, counts) => {
      await database.run(`UPDATE source_runs SET told = ? WHERE ${HERE} AND id = ? AND state = 'running'`, [
        JSON.stringify(counts),
        tenantId,
        sourceId,
        id,
      ]);
    },
    end: async ({ tenantId, id: sourceId }, id, { state, reason, counts }) => {
      await database.run(
        `UPDATE source_runs SET state = ?, told = ?, ended_ms = ? WHERE ${HERE} AND id = ? AND state = 'running'`,
        [state, JSON.stringify({ ...counts, reason }), clock.nowMs(), tenantId, sourceId, id],
      );
    },
    get: async ({ tenantId, id: sourceId }, id) => {
      const rows = await database.all<Row>(`SELECT * FROM source_runs WHERE ${HERE} AND id = ?`, [
        tenantId,
        sourceId,
        id,
      ]);
      return rows[0] === undefined ? undefined : runOf(rows[0]);
    },
    list,
    last: async (refs) => {
      const found = new Map<string, SourceRun>();
      for (const ref of refs) for (const run of await list(ref, { limit: 1 })) found.set(ref.id, run);
      return found;
    },
  };
}

function runOf(row: Row): SourceRun {
  const value = parseJson(row.told);
  const told: JsonObject = isJsonObject(value) ? value : {};
  const number = (key: string): number => numberAt(told, key) ?? 0;
  const listed = objectAt(told, 'listed') ?? {};
  const check = objectAt(told, 'check');
  return {
    id: row.id,
    sourceId: row.source_id,
    state: row.state,
    reason: stringAt(told, 'reason') ?? null,
    startedMs: Number(row.started_ms),
    endedMs: row.ended_ms === null ? null : Number(row.ended_ms),
    found: number('found'),
    changed: number('changed'),
    unchanged: number('unchanged'),
    removed: number('removed'),
    failed: number('failed'),
    failures: arrayAt(told, 'failures')
      .filter(isJsonObject)
      .map((each) => ({ key: stringAt(each, 'key') ?? '', reason: stringAt(each, 'reason') ?? '' })),
    listed: { complete: listed['complete'] === true, reason: stringAt(listed, 'reason') ?? null },
    check:
      check === undefined
        ? null
        : {
            expected: numberAt(check, 'expected') ?? 0,
            missing: arrayAt(check, 'missing').filter((id) => typeof id === 'string'),
          },
  };
}
