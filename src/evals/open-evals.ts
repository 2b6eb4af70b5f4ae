import type { ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../ports/database.ts';
import type { Collection, Collections } from '../rag/collections.ts';
import type { Documents } from '../rag/documents.ts';
import { processPrincipal } from '../rag/process-principal.ts';
import type { Retrieve } from '../rag/retrieve/retrieve.ts';
import type { BeforeSwap } from '../rag/versions/versions.ts';
import { SekishoError } from '../spec/errors.ts';
import { newId, type CollectionName, type RequestId, type TenantId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { compareEvaluations } from './compare-evaluations.ts';
import { draftCases, type DraftPassage } from './draft-cases.ts';
import { evaluateRetrieval, type Evaluation, type SearchForEvaluation } from './evaluate-retrieval.ts';
import { createEvaluationRuns, type EvaluationRun, type EvaluationRuns } from './evaluation-runs.ts';
import { createGoldenSets, type GoldenPlace, type GoldenSets, type NewGoldenCase } from './golden-sets.ts';
import { LEAST_CASES, tuneRetrieval, type Tuning } from './tune-retrieval.ts';

export interface EvalsDeps {
  database: Database;
  clock: Clock;
  gateway: Pick<ModelGateway, 'chat'>;
  collections: Pick<Collections, 'require' | 'atVersion'>;
  documents: Pick<Documents, 'list' | 'get'>;
  retrieve: Retrieve;
  /** The model that writes drafts where a collection names none. */
  answerRoute: string;
  /** By how much nDCG may fall when an index takes the place of another. */
  maxDrop: number;
}

/** Who asks for an evaluation, of which collection. */
export interface EvaluationRequest {
  principal: Principal;
  collection: CollectionName;
  signal: AbortSignal;
  requestId: RequestId;
  onProgress?: (done: number, total: number) => void;
}

export interface Evals {
  goldenSets: GoldenSets;
  runs: EvaluationRuns;
  placeOf(tenantId: TenantId, collection: CollectionName): Promise<GoldenPlace>;
  /** Evaluates the collection as it is, compares with the run before, and keeps the outcome. */
  evaluate(request: EvaluationRequest & { k: number }): Promise<EvaluationRun>;
  /** See tuneRetrieval; changes nothing. */
  tune(request: EvaluationRequest & { k: number }): Promise<Tuning>;
  /** Drafts so many cases from documents of the collection and keeps them. */
  draft(request: EvaluationRequest & { cases: number }): Promise<{ ids: string[] }>;
  /** Refuses an index that finds less than the live one by more than `maxDrop`; lets pass what cannot be measured. */
  beforeSwap: BeforeSwap;
}

/** The cut-off of the gate, and how many cases it asks at most: a swap waits for it. */
const GATE_K = 10;
const GATE_CASES = 1_000;
const MOST_DRAFTED = 50;

/** Errors of its verbs: collection_not_found, invalid_request where a golden set is too small, and what searching throws. */
export function openEvals(deps: EvalsDeps): Evals {
  const { collections, documents } = deps;
  const goldenSets = createGoldenSets(deps);
  const runs = createEvaluationRuns(deps);
  const search: SearchForEvaluation = (question) => deps.retrieve(question);
  const placeIn = ({ tenantId, id }: Collection): GoldenPlace => ({ tenantId, collectionId: id });

  async function opened({ principal, collection: name }: EvaluationRequest, least: number) {
    const collection = await collections.require(principal.tenantId, name);
    const cases = await goldenSets.all(placeIn(collection));
    if (cases.length < least) {
      const problem = `the golden set of "${name}" has ${cases.length} cases; ${least} are needed`;
      throw new SekishoError('invalid_request', { values: { problem } });
    }
    return { collection, cases };
  }

  async function* passagesOf(collection: Collection, wanted: number): AsyncGenerator<DraftPassage> {
    const place = { tenantId: collection.tenantId, collection: collection.name };
    let given = 0;
    for (let after = ''; given < wanted;) {
      const page = await documents.list(place, { after, limit: 100 });
      if (page.length === 0) return;
      after = page.at(-1)?.id ?? '';
      for (const { id, state } of page) {
        const document = state === 'ready' ? await documents.get(place, id) : undefined;
        if (document === undefined || given === wanted) continue;
        given++;
        // The middle of a long document: beginnings are often lists of contents.
        const start = document.text.length > 4_000 ? document.text.indexOf('\n', document.text.length >> 1) + 1 : 0;
        yield { document: id, title: document.title, text: document.text.slice(start) };
      }
    }
  }

  return {
    goldenSets,
    runs,
    placeOf: async (tenantId, name) => placeIn(await collections.require(tenantId, name)),

    evaluate: async (request) => {
      const { collection, cases } = await opened(request, 1);
      const place = placeIn(collection);
      const evaluation = await evaluateRetrieval(search, { ...request, cases });
      const [last] = await runs.list(place, 1);
      const previous = last?.k === request.k ? await runs.get(place, last.id) : undefined;
      const comparison = previous && {
        previous: previous.id,
        ...(await compareEvaluations(previous.perCase, evaluation.cases)),
      };
      const { version, settingsRevision } = collection;
      return runs.add(place, { version, settingsRevision, k: request.k, comparison: comparison ?? null, evaluation });
    },

    tune: async (request) => {
      const { collection, cases } = await opened(request, LEAST_CASES);
      return tuneRetrieval(search, { ...request, cases, current: collection.settings.retrieval });
    },

    draft: async ({ principal, collection: name, signal, requestId, cases: wanted, onProgress }) => {
      const collection = await collections.require(principal.tenantId, name);
      const route = collection.settings.answer.route ?? deps.answerRoute;
      const cases: NewGoldenCase[] = [];
      for await (const passage of passagesOf(collection, Math.min(wanted, MOST_DRAFTED))) {
        const order = { passages: [passage], origin: { principal, signal, requestId }, route, collection: name };
        const drafted = await draftCases(deps, order);
        if (drafted === undefined) {
          const problem = 'no model that writes is configured for this collection';
          throw new SekishoError('invalid_request', { values: { problem } });
        }
        cases.push(...drafted);
        onProgress?.(cases.length, wanted);
      }
      return goldenSets.put(placeIn(collection), cases);
    },

    beforeSwap: async (place, { liveVersion, shadowVersion }) => {
      const collection = await collections.require(place.tenantId, place.collection);
      const all = await goldenSets.all(placeIn(collection));
      if (all.length === 0) return {};
      const step = Math.max(1, all.length / GATE_CASES);
      const cases = all.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step));
      const at = async (version: number): Promise<Evaluation> => {
        const seen = await collections.atVersion(collection, version);
        return evaluateRetrieval(search, {
          principal: processPrincipal(place.tenantId),
          collection: place.collection,
          cases,
          k: GATE_K,
          version,
          ...(seen && { embeddingRoute: seen.embeddingRoute }),
          signal: new AbortController().signal,
          requestId: newId('req'),
        });
      };
      const live = await at(liveVersion);
      const shadow = await at(shadowVersion);
      const { ndcg } = (await compareEvaluations(live.cases, shadow.cases)).differences;
      if (ndcg.mean >= -deps.maxDrop) return {};
      const figures = `${live.mean.ndcg.toFixed(4)} to ${shadow.mean.ndcg.toFixed(4)}`;
      const interval = `${ndcg.low.toFixed(4)} to ${ndcg.high.toFixed(4)}`;
      return { refuse: `nDCG@${GATE_K} falls from ${figures} (difference in ${interval}); ${deps.maxDrop} is allowed` };
    },
  };
}
