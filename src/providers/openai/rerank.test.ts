import { expect, test } from 'bun:test';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { createUpstream } from '../kit/upstream.ts';
import { upstreamError } from '../kit/upstream-error.ts';
import { bearsData } from '../kit/bears-data.ts';
import { openAiRerank, type RerankShape } from './rerank.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

async function rerank(
  answer: object,
  request: { query: string; documents: string[]; topN?: number },
  shape?: RerankShape,
) {
  let seen: { traceparent: string | null; json: JsonObject } | undefined;
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (asked) => {
      const json = parseJson(await asked.text());
      seen = { traceparent: asked.headers.get('traceparent'), json: isJsonObject(json) ? json : {} };
      return Response.json(answer);
    },
  });
  const upstream = createUpstream({
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 2_000 },
    hasData: bearsData,
    refusal: upstreamError,
    headers: () => ({}),
  });
  const { signal } = new AbortController();
  const call = { model: 'm', target: 'up/m', signal, forwardHeaders: { traceparent }, request };
  try {
    return { got: await openAiRerank(upstream, { url: `http://127.0.0.1:${server.port}/rerank`, shape }, call), seen };
  } finally {
    await server.stop(true);
  }
}

const documents = ['a', 'b', 'c'];
const results = [0.2, 0.9, 0.5].map((relevance_score, index) => ({ index, relevance_score }));

test('asks for as many as are wanted, and gives no more, the best first', async () => {
  const { got, seen } = await rerank({ id: 'r', model: 'M', results }, { query: 'q', documents, topN: 2 });
  expect(seen).toEqual({ traceparent, json: { model: 'm', query: 'q', documents, top_n: 2 } });
  expect(got).toMatchObject({ id: 'r', model: 'M', results: [{ index: 1 }, { index: 2 }] });
});

test.each([
  ['tokens', { usage: { total_tokens: 21 } }, { inputTokens: 21, basis: 'reported' }],
  ['tokens of the prompt', { usage: { prompt_tokens: 9 } }, { inputTokens: 9, basis: 'reported' }],
  ['searches', { meta: { billed_units: { search_units: 2 } } }, { searchUnits: 2, basis: 'reported' }],
  ['nothing', {}, { basis: 'estimated' }],
])('usage where it tells %s', async (_, told, usage) => {
  expect((await rerank({ results, ...told }, { query: 'q', documents })).got.usage).toMatchObject(usage);
});

test.each([
  ['no results', { error: 'x' }],
  ['one twice', { results: [results[0], results[0]] }],
  ['one without a score', { results: [{ index: 0 }] }],
])('%s is no answer', async (_, answer) => {
  const thrown = await rerank(answer, { query: 'q', documents }).catch((error: unknown) => error);
  expect(thrown).toMatchObject({ code: 'upstream_broken' });
});

test('Text Embeddings Inference is asked for texts and answers a list', async () => {
  const list = [
    { index: 2, score: 0.9 },
    { index: 0, score: 0.2 },
    { index: 1, score: 0.1 },
  ];
  const { got, seen } = await rerank(list, { query: 'q', documents, topN: 2 }, 'texts');
  expect(seen?.json).toEqual({ query: 'q', texts: documents, truncate: true });
  expect(got.results).toEqual([
    { index: 2, score: 0.9 },
    { index: 0, score: 0.2 },
  ]);
  expect(got.usage.basis).toBe('estimated');
});

test.each([[{ error: 'busy', error_type: 'Overloaded' }], [[]], [[{ index: 7, score: 1 }]]])(
  'where a list of results is wanted, %j is no answer',
  async (answer) => {
    const thrown = await rerank(answer, { query: 'q', documents }, 'texts').catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'upstream_broken' });
  },
);
