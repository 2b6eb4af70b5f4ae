import type { Clock } from '../lib/clock.ts';
import { isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../lib/json.ts';
import type { Database } from '../ports/database.ts';
import { newId } from '../spec/ids.ts';
import type { Comparison } from './compare-evaluations.ts';
import type { CaseMetrics, Evaluation } from './evaluate-retrieval.ts';
import type { GoldenPlace } from './golden-sets.ts';
import { RANKING_METRICS, type RankingMetrics } from './ranking-metrics.ts';

/** An evaluation as it is kept. */
export interface EvaluationRun {
  id: string;
  /** Of the index that was searched. */
  version: number;
  settingsRevision: number;
  k: number;
  cases: number;
  mean: RankingMetrics;
  /** Against the run before it, where there was one. */
  comparison: (Comparison & { previous: string }) | null;
  createdMs: number;
}

export type NewEvaluationRun = Pick<EvaluationRun, 'version' | 'settingsRevision' | 'k' | 'comparison'> & {
  evaluation: Evaluation;
};

export interface EvaluationRuns {
  /** Keeps a run; of each collection the newest hundred are kept. */
  add(place: GoldenPlace, run: NewEvaluationRun): Promise<EvaluationRun>;
  /** Newest first. */
  list(place: GoldenPlace, limit: number): Promise<EvaluationRun[]>;
  get(place: GoldenPlace, id: string): Promise<(EvaluationRun & { perCase: CaseMetrics[] }) | undefined>;
}

interface Row {
  id: string;
  version: number;
  settings_revision: number;
  k: number;
  summary: string;
  cases: string;
  created_ms: number;
}

const KEPT = 100;
const HERE = 'tenant_id = ? AND collection = ?';
const SHORT = 'id, version, settings_revision, k, summary, created_ms';

/** The evaluations of all collections, for comparison with those to come. */
export function createEvaluationRuns({ database, clock }: { database: Database; clock: Clock }): EvaluationRuns {
  return {
    add: async ({ tenantId, collectionId }, { version, settingsRevision, k, comparison, evaluation }) => {
      const createdMs = clock.nowMs();
      const id = newId('eval', createdMs);
      const { mean, cases } = evaluation;
      const summary = JSON.stringify({ cases: cases.length, mean, comparison });
      const perCase = JSON.stringify(
        cases.map(({ id: of, metrics }) => [of, ...RANKING_METRICS.map((m) => metrics[m])]),
      );
      await database.batch([
        {
          sql: `INSERT INTO evaluation_runs
            (tenant_id, collection, id, version, settings_revision, k, summary, cases, created_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          params: [tenantId, collectionId, id, version, settingsRevision, k, summary, perCase, createdMs],
        },
        {
          sql: `DELETE FROM evaluation_runs WHERE ${HERE} AND id NOT IN
            (SELECT id FROM evaluation_runs WHERE ${HERE} ORDER BY id DESC LIMIT ${KEPT})`,
          params: [tenantId, collectionId, tenantId, collectionId],
        },
      ]);
      return { id, version, settingsRevision, k, cases: cases.length, mean, comparison, createdMs };
    },
    list: async ({ tenantId, collectionId }, limit) => {
      const sql = `SELECT ${SHORT} FROM evaluation_runs WHERE ${HERE} ORDER BY id DESC LIMIT ?`;
      return (await database.all<Row>(sql, [tenantId, collectionId, limit])).map(runOf);
    },
    get: async ({ tenantId, collectionId }, id) => {
      const sql = `SELECT ${SHORT}, cases FROM evaluation_runs WHERE ${HERE} AND id = ?`;
      const [row] = await database.all<Row>(sql, [tenantId, collectionId, id]);
      return row && { ...runOf(row), perCase: perCaseOf(row.cases) };
    },
  };
}

function runOf(row: Row): EvaluationRun {
  const parsed = parseJson(row.summary);
  const summary = isJsonObject(parsed) ? parsed : {};
  return {
    id: row.id,
    version: row.version,
    settingsRevision: row.settings_revision,
    k: row.k,
    cases: numberAt(summary, 'cases') ?? 0,
    mean: metricsOf((name) => numberAt(objectAt(summary, 'mean') ?? {}, name)),
    comparison: comparisonOf(objectAt(summary, 'comparison')),
    createdMs: Number(row.created_ms),
  };
}

function comparisonOf(json: JsonObject | undefined): EvaluationRun['comparison'] {
  if (json === undefined) return null;
  const of = (name: keyof RankingMetrics) => {
    const difference = objectAt(objectAt(json, 'differences') ?? {}, name) ?? {};
    const at = (key: string): number => numberAt(difference, key) ?? 0;
    return { mean: at('mean'), low: at('low'), high: at('high') };
  };
  return {
    previous: stringAt(json, 'previous') ?? '',
    cases: numberAt(json, 'cases') ?? 0,
    differences: {
      precision: of('precision'),
      recall: of('recall'),
      f1: of('f1'),
      hit1: of('hit1'),
      hit: of('hit'),
      mrr: of('mrr'),
      ndcg: of('ndcg'),
    },
  };
}

function perCaseOf(json: string): CaseMetrics[] {
  const rows = parseJson(json);
  return (Array.isArray(rows) ? rows : []).flatMap((row): CaseMetrics[] => {
    if (!Array.isArray(row)) return [];
    const [id, ...figures] = row;
    return [
      {
        id: typeof id === 'string' ? id : '',
        metrics: metricsOf((name) => Number(figures[RANKING_METRICS.indexOf(name)])),
      },
    ];
  });
}

function metricsOf(at: (name: keyof RankingMetrics) => number | undefined): RankingMetrics {
  const of = (name: keyof RankingMetrics): number => at(name) ?? 0;
  return {
    precision: of('precision'),
    recall: of('recall'),
    f1: of('f1'),
    hit1: of('hit1'),
    hit: of('hit'),
    mrr: of('mrr'),
    ndcg: of('ndcg'),
  };
}

/** Tells an evaluation from the other outcomes of a golden set. */
export function isEvaluationRun(outcome: object): outcome is EvaluationRun {
  return 'settingsRevision' in outcome && 'mean' in outcome;
}
