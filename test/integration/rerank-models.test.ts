import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { RerankModelCall, RerankOutcome } from '../../src/gateway/model-call.ts';
import { Secret } from '../../src/lib/secret.ts';
import type { Provider } from '../../src/ports/provider.ts';
import { createCohereProvider } from '../../src/providers/cohere/cohere-provider.ts';
import { createOpenAiProvider } from '../../src/providers/openai/openai-provider.ts';
import { createCrossEncoder } from '../../src/rag/retrieve/rerank/cross-encoder.ts';
import { lostStep } from '../../src/rag/retrieve/lost-step.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { PRINCIPAL } from '../support/ingest-stage.ts';

const timeouts = { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 2_000 };
let fake: FakeProvider;
/** Text Embeddings Inference, by its own documentation: texts in, a list out. */
let inference: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  fake = await startFakeProvider();
  inference = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      const body: unknown = await request.json();
      const texts = typeof body === 'object' && body !== null && 'texts' in body ? body.texts : undefined;
      if (!Array.isArray(texts)) return Response.json({ error: 'missing field `texts`' }, { status: 422 });
      return Response.json(texts.map((_, index) => ({ index, score: (index + 1) / 10 })).toReversed());
    },
  });
});
afterAll(async () => {
  await fake.stop();
  await inference.stop(true);
});

function gatewayTo(provider: Provider) {
  return {
    rerank: async ({ request, signal, requestId, route }: RerankModelCall): Promise<RerankOutcome> => {
      const answer = await provider.rerank?.({ model: 'reranker', target: 'up/reranker', signal, request });
      if (answer === undefined) throw new Error('a provider without rerank');
      return {
        answer,
        facts: {
          requestId,
          route,
          target: 'up/reranker',
          wire: provider.wire,
          attempts: 1,
          cache: 'miss',
          limits: [],
          overheadMs: () => 0,
          costMicros: 0,
        },
      };
    },
  };
}

const ask = (provider: Provider) =>
  createCrossEncoder(
    gatewayTo(provider),
    'judge',
  )({
    query: 'gate',
    candidates: Array.from({ length: 6 }, (_, i) => ({ title: '', content: `text ${i}`, score: 0.5 - i / 100 })),
    principal: PRINCIPAL,
    requestId: 'req_test',
    signal: new AbortController().signal,
  });
const providers: Record<string, () => Provider> = {
  'Jina, vLLM and Infinity': () => createOpenAiProvider({ name: 'up', baseUrl: fake.baseUrl, timeouts }),
  Cohere: () =>
    createCohereProvider({
      name: 'up',
      baseUrl: fake.baseUrl.replace(/\/v1$/, ''),
      credential: new Secret('sk-fake'),
      timeouts,
    }),
  'Text Embeddings Inference': () =>
    createOpenAiProvider({ name: 'up', baseUrl: inference.url.origin, timeouts, rerank: 'texts' }),
};

test.each(Object.keys(providers))('candidates are reranked in the shape of %s', async (name) => {
  const made = providers[name]?.();
  if (made === undefined) throw new Error(name);
  const { raw, scores } = await ask(made);
  expect(raw).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
  // Equal at first, the places of a model count: the last of six is the best of all.
  expect(scores.indexOf(Math.max(...scores))).toBe(5);
});

test('an endpoint that wants another shape costs the order alone', async () => {
  const wrong = createOpenAiProvider({ name: 'up', baseUrl: inference.url.origin, timeouts });
  const thrown = await ask(wrong).catch((error: unknown) => error);
  expect(lostStep(thrown).code).toBe('upstream_rejected');
});
