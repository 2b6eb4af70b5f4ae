import { stringAt } from '../../../src/lib/json.ts';
import type { FakeWireModule } from './fake-answer.ts';
import { errorBody } from './recorded-answer.ts';

/** Reranking in the shape of Jina and of servers of open models: the later a document, the better. */
export const rerankForm: FakeWireModule = ({ method, path, json }) => {
  if (method !== 'POST' || path.split('?')[0] !== '/v1/rerank') return undefined;
  const documents = Array.isArray(json['documents']) ? json['documents'] : [];
  const results = documents.map((_, index) => ({ index, relevance_score: (index + 1) / 10 })).toReversed();
  return {
    model: stringAt(json, 'model') ?? '',
    healthy: () => ({
      body: JSON.stringify({ id: 'rerank-fake0001', model: json['model'], results, usage: { total_tokens: 21 } }),
    }),
    failure: (status) => ({ body: errorBody('openai', status) }),
  };
};
