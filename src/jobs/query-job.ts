import { actAs, type ActingAs } from '../access/act-as.ts';
import { mayUseRoute } from '../access/permissions.ts';
import {
  arrayAt,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  numberAt,
  objectAt,
  parseJson,
  stringAt,
} from '../lib/json.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { AnswerQuestion, QuestionAnswer } from '../rag/answer-question.ts';
import type { Message } from '../spec/chat.ts';
import { rightsKey } from '../rag/access.ts';
import { SekishoError } from '../spec/errors.ts';
import type { JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';

export const QUERY = 'query';

/** A question that is answered in the background. */
export interface AsyncQuestion {
  principal: Principal;
  collection: string;
  question: string;
  /** As many passages as the collection hands on, where absent. */
  topK?: number;
  /** Turns before the question, oldest first. */
  history?: readonly { role: 'user' | 'assistant'; content: string }[];
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
  encode: (answer: QuestionAnswer, explain: boolean, cache: 'hit' | 'miss') => object;
}

/** Questions in the background: the answer, with its sources, is the result of the job. */
export function createQueryJobs({ jobs, answerQuestion, encode }: QueryJobDeps): QueryJobs {
  jobs.handle(QUERY, {
    run: async ({ job, principal: key, signal, requestId, report }) => {
      const { input } = job;
      const as = input['as'] === undefined ? undefined : actingAsOf(input['as']);
      const principal = as === undefined ? key : actAs(key, as);
      const collection = stringAt(input, 'collection') ?? '';
      const route = `rag/${collection}`;
      // The key may have been bound to other routes since.
      if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
      const filters = objectAt(input, 'filters');
      const topK = numberAt(input, 'top_k');
      report({ total: 1, done: 0, failed: 0, failures: [] });
      const events = answerQuestion({
        requestId,
        principal,
        collection,
        question: stringAt(input, 'query') ?? '',
        history: arrayAt(input, 'history').flatMap(turnOf),
        ...(topK !== undefined && { topK }),
        signal,
        stream: false,
        ...(filters !== undefined && { filters }),
      });
      let cache: 'hit' | 'miss' = 'miss';
      for await (const event of events) {
        if (event.type === 'begun') cache = event.facts.cache;
        if (event.type !== 'done') continue;
        report({ total: 1, done: 1, failed: 0, failures: [] });
        const result = parseJson(JSON.stringify(encode(event.result, input['explain'] === true, cache)));
        return isJsonObject(result) ? result : {};
      }
      throw new SekishoError('internal', { cause: new Error('a question without an answer') });
    },
  });

  return {
    submit: ({ principal, collection, question, topK, history = [], filters, explain, priority }) =>
      jobs.submit({
        tenantId: principal.tenantId,
        keyId: principal.keyId,
        queue: 'query',
        kind: QUERY,
        input: {
          collection,
          query: question,
          ...(topK !== undefined && { top_k: topK }),
          ...(history.length > 0 && { history: history.map((turn) => ({ ...turn })) }),
          explain,
          ...(filters !== undefined && { filters }),
          // Whoever the key acts for now is whom the answer is for, whatever more the key may do.
          ...(principal.acting === true && { as: shownRights(principal), rights: rightsKey(principal) }),
        },
        ...(priority !== undefined && { priority }),
      }),
  };
}

function turnOf(turn: JsonValue): Message[] {
  if (!isJsonObject(turn)) return [];
  const role = turn['role'] === 'assistant' ? 'assistant' : 'user';
  return [{ role, parts: [{ type: 'text', text: stringAt(turn, 'content') ?? '' }] }];
}

function shownRights({ groups = [], attributes = {} }: Principal): JsonObject {
  return {
    groups: [...groups],
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, values]) => [name, [...values]])),
  };
}

/** What shownRights made. Anything else is somebody without groups and attributes. */
function actingAsOf(value: JsonValue): ActingAs {
  const texts = (list: JsonValue | undefined): string[] =>
    Array.isArray(list) ? list.filter((each) => typeof each === 'string') : [];
  if (!isJsonObject(value)) return { groups: [], attributes: {} };
  const attributes = Object.entries(objectAt(value, 'attributes') ?? {});
  return {
    groups: texts(value['groups']),
    attributes: Object.fromEntries(attributes.map(([name, values]) => [name, texts(values)])),
  };
}
