import { Hono } from 'hono';
import { requireAdmin } from '../../access/permissions.ts';
import type { EvaluationRun } from '../../evals/evaluation-runs.ts';
import type { GoldenCase, GoldenPlace } from '../../evals/golden-sets.ts';
import type { Evals } from '../../evals/open-evals.ts';
import type { EvaluationJobs, EvaluationKind } from '../../jobs/evaluation-jobs.ts';
import { SekishoError } from '../../spec/errors.ts';
import { accepted } from '../accepted.ts';
import {
  draftCasesSchema,
  evaluateSchema,
  goldenCasePageQuery,
  putGoldenCasesSchema,
} from '../contract/evaluations.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { judge, readValid } from '../read-body.ts';
import { requireCollection } from './search.ts';

export interface EvaluationRouteDeps {
  evals: Pick<Evals, 'goldenSets' | 'runs' | 'placeOf'>;
  evaluationJobs: EvaluationJobs;
}

const MOST_RUNS = 100;

/** Golden sets and what they say of a collection. For administrators: a golden set tells what documents say. */
export function evaluationRoutes({ evals, evaluationJobs }: EvaluationRouteDeps): Hono<HttpEnv> {
  /** The collection of the path, once it is sure that there is such a one and that the key may manage it. */
  async function placed(context: HttpContext): Promise<GoldenPlace> {
    const principal = context.get('principal');
    requireAdmin(principal, 'evaluate collections');
    const collection = context.req.param('collection') ?? '';
    requireCollection(principal, collection);
    return evals.placeOf(principal.tenantId, collection);
  }

  async function begun(context: HttpContext, kind: EvaluationKind, number: number): Promise<Response> {
    const principal = context.get('principal');
    const collection = context.req.param('collection') ?? '';
    return accepted(context, await evaluationJobs.submit(kind, { principal, collection, number }));
  }

  return new Hono<HttpEnv>()
    .get('/v1/collections/:collection/golden-set', async (context) => {
      const place = await placed(context);
      const { after, limit } = judge(goldenCasePageQuery, context.req.query());
      const data = await evals.goldenSets.list(place, { after, limit });
      return context.json({ data: data.map(shownCase), has_more: data.length === limit });
    })
    .post('/v1/collections/:collection/golden-set', async (context) => {
      const place = await placed(context);
      const { cases } = await readValid(context, putGoldenCasesSchema);
      const { ids } = await evals.goldenSets.put(
        place,
        cases.map(({ id, question, relevant }) => ({
          question,
          relevant: relevant.map(({ document, quote }) => ({ document, ...(quote !== undefined && { quote }) })),
          ...(id !== undefined && { id }),
        })),
      );
      return context.json({ ids, cases: await evals.goldenSets.count(place) });
    })
    .delete('/v1/collections/:collection/golden-set', async (context) =>
      context.json({ deleted: await evals.goldenSets.clear(await placed(context)) }),
    )
    .delete('/v1/collections/:collection/golden-set/:id', async (context) => {
      const place = await placed(context);
      const id = context.req.param('id');
      if (!(await evals.goldenSets.remove(place, id))) throw notFound(context);
      return context.json({ id, deleted: true });
    })
    .post('/v1/collections/:collection/golden-set/draft', async (context) => {
      await placed(context);
      const { cases } = await readValid(context, draftCasesSchema);
      return begun(context, 'draft_cases', cases);
    })
    .post('/v1/collections/:collection/evaluations', async (context) => {
      await placed(context);
      const { k } = await readValid(context, evaluateSchema);
      return begun(context, 'evaluate', k);
    })
    .post('/v1/collections/:collection/tune', async (context) => {
      await placed(context);
      const { k } = await readValid(context, evaluateSchema);
      return begun(context, 'tune', k);
    })
    .get('/v1/collections/:collection/evaluations', async (context) => {
      const runs = await evals.runs.list(await placed(context), MOST_RUNS);
      return context.json({ data: runs.map(shownEvaluation) });
    })
    .get('/v1/collections/:collection/evaluations/:id', async (context) => {
      const run = await evals.runs.get(await placed(context), context.req.param('id'));
      if (run === undefined) throw notFound(context);
      return context.json({ ...shownEvaluation(run), per_case: run.perCase });
    });
}

/** An evaluation as callers see it. */
export function shownEvaluation(run: EvaluationRun) {
  const { id, version, settingsRevision, k, cases, mean, comparison, createdMs } = run;
  return {
    id,
    index_version: version,
    settings_revision: settingsRevision,
    k,
    cases,
    metrics: mean,
    comparison,
    created_at: new Date(createdMs).toISOString(),
  };
}

function shownCase({ id, question, relevant, origin, createdMs }: GoldenCase) {
  return { id, question, relevant, origin, created_at: new Date(createdMs).toISOString() };
}

function notFound(context: HttpContext): SekishoError {
  return new SekishoError('not_found', { values: { path: context.req.path.slice(0, 200) } });
}
