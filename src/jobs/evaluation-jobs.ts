import type { EvaluationRequest, Evals } from '../evals/open-evals.ts';
import { mayUseRoute } from '../access/permissions.ts';
import { isJsonObject, numberAt, parseJson, stringAt, type JsonObject } from '../lib/json.ts';
import type { JobRun, Jobs } from '../ports/jobs.ts';
import { SekishoError } from '../spec/errors.ts';
import type { JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';

const EVALUATION_KINDS = ['evaluate', 'tune', 'draft_cases'] as const;
export type EvaluationKind = (typeof EVALUATION_KINDS)[number];

export interface EvaluationJobs {
  /** `number` is the cut-off k, or how many cases are to be drafted. @throws SekishoError rate_limited, storage_unavailable. */
  submit(kind: EvaluationKind, asked: { principal: Principal; collection: string; number: number }): Promise<JobRecord>;
}

export interface EvaluationJobsDeps {
  jobs: Pick<Jobs, 'submit' | 'handle'>;
  evals: Pick<Evals, 'evaluate' | 'tune' | 'draft'>;
  /** An outcome as it is shown. */
  encode: (outcome: object) => object;
}

/** Evaluating, tuning and drafting as jobs: each asks a collection hundreds of questions. */
export function createEvaluationJobs({ jobs, evals, encode }: EvaluationJobsDeps): EvaluationJobs {
  const work: Record<EvaluationKind, (request: EvaluationRequest, number: number) => Promise<object>> = {
    evaluate: (request, k) => evals.evaluate({ ...request, k }),
    tune: (request, k) => evals.tune({ ...request, k }),
    draft_cases: (request, cases) => evals.draft({ ...request, cases }),
  };
  for (const kind of EVALUATION_KINDS) {
    jobs.handle(kind, {
      run: async (run) => {
        const outcome = await work[kind](requestOf(run), numberAt(run.job.input, 'number') ?? 10);
        const shown = parseJson(JSON.stringify(encode(outcome)));
        return isJsonObject(shown) ? shown : {};
      },
    });
  }
  return {
    submit: (kind, { principal: { tenantId, keyId }, collection, number }) =>
      jobs.submit({ tenantId, keyId, queue: 'query', kind, input: { collection, number } satisfies JsonObject }),
  };
}

function requestOf({ job, principal, signal, requestId, report }: JobRun): EvaluationRequest {
  const collection = stringAt(job.input, 'collection') ?? '';
  const route = `rag/${collection}`;
  // The key may have been bound to other routes since.
  if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
  const onProgress = (done: number, total: number): void => report({ done, total, failed: 0, failures: [] });
  return { principal, collection, signal, requestId, onProgress };
}
