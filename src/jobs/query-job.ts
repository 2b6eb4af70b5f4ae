import { mayUseRoute } from '../access/permissions.ts';
import { isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../lib/json.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { AnswerQuestion, QuestionAnswer } from '../rag/answer-question.ts';
import { SekishoError } from '../spec/errors.ts';
import type { JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';

export const QUERY = 'query';

/** A question that is answered in the background. */
export interface AsyncQuestion {
  principal: Principal;
  collection: string;
  question: string;
  topK: number;
  filters?: JsonObject;
  /** Whether the result tells why each hit was found. */
  explain: boolean;
  priority?: number;
}

export interface QueryJobs {
  /** @throws SekishoError rate_limited, storage_unavailable. */
  submit(question: AsyncQuestion): Promise<JobRecord>;
}

export interface QueryJobDeps {
  jobs: Pick<Jobs, 'submit' | 'handle'>;
  answerQuestion: AnswerQuestion;
  /** An answer as it is kept and shown. */
  encode: (answer: QuestionAnswer, explain: boolean) => object;
}

/** Questions in the background: the answer, with its sources, is the result of the job. */
export function createQueryJobs({ jobs, answerQuestion, encode }: QueryJobDeps): QueryJobs {
  jobs.handle(QUERY, {
    run: async ({ job, principal, signal, requestId, report }) => {
      const { input } = job;
      const collection = stringAt(input, 'collection') ?? '';
      const route = `rag/${collection}`;
      // The key may have been bound to other routes since.
      if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
      const filters = objectAt(input, 'filters');
      report({ total: 1, done: 0, failed: 0, failures: [] });
      const events = answerQuestion({
        requestId,
        principal,
        collection,
        question: stringAt(input, 'query') ?? '',
        history: [],
        topK: numberAt(input, 'top_k') ?? 5,
        signal,
        stream: false,
        ...(filters !== undefined && { filters }),
      });
      for await (const event of events) {
        if (event.type !== 'done') continue;
        report({ total: 1, done: 1, failed: 0, failures: [] });
        const result = parseJson(JSON.stringify(encode(event.result, input['explain'] === true)));
        return isJsonObject(result) ? result : {};
      }
      throw new SekishoError('internal', { cause: new Error('a question without an answer') });
    },
  });

  return {
    submit: ({ principal, collection, question, topK, filters, explain, priority }) =>
      jobs.submit({
        tenantId: principal.tenantId,
        keyId: principal.keyId,
        queue: 'query',
        kind: QUERY,
        input: { collection, query: question, top_k: topK, explain, ...(filters !== undefined && { filters }) },
        ...(priority !== undefined && { priority }),
      }),
  };
}
