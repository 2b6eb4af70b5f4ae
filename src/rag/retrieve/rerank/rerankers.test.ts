import { describe, expect, test } from 'bun:test';
import type { RerankModelCall, RerankOutcome } from '../../../gateway/model-call.ts';
import { createStaticEncoder } from '../../../nlp/embed/static-encoder.ts';
import { createTokenMatch } from '../../../nlp/embed/token-match.ts';
import { createTextAnalyser } from '../../../nlp/text-analyser.ts';
import type { RerankerSettings } from '../../../spec/collection.ts';
import { DEFAULT_TENANT } from '../../../spec/ids.ts';
import type { Principal } from '../../../spec/principal.ts';
import { noUsage } from '../../../spec/usage.ts';
import type { RerankCandidate, Reranked } from './reranker.ts';
import { createRerankers } from './rerankers.ts';

const bundled = await Bun.file(new URL('../../../../models/static-en-ja/model.bin', import.meta.url)).bytes();
const encoder = createStaticEncoder(bundled);
const principal: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_test',
  name: 'test',
  role: 'member',
  allowedRoutes: ['rag/manual'],
  limits: {},
};

/** What a rerank model says, as the gateway gives it. */
function outcome(results: { index: number; score: number }[]): RerankOutcome {
  return {
    facts: {
      requestId: 'req_test',
      route: 'judge',
      target: 'up/judge',
      wire: 'cohere',
      attempts: 1,
      cache: 'miss',
      limits: [],
      overheadMs: () => 0,
      costMicros: 0,
    },
    answer: { id: 'r', model: 'judge', results, usage: noUsage() },
  };
}

async function run(
  settings: RerankerSettings,
  query: string,
  candidates: RerankCandidate[],
  answer: (call: RerankModelCall) => RerankOutcome = () => outcome([]),
): Promise<Reranked> {
  const rerankers = createRerankers({
    analyser: createTextAnalyser(),
    encoder,
    matchTokens: createTokenMatch(encoder),
    gateway: { rerank: async (call) => answer(call) },
  });
  const made = rerankers(settings);
  if (made === undefined) throw new Error('no reranker');
  const { signal } = new AbortController();
  return made.rerank({ query, candidates, points: 30, principal, requestId: 'req_test', signal });
}
const texts = (...some: [score: number, content: string][]): RerankCandidate[] =>
  some.map(([score, content]) => ({ title: '', content, score }));
const order = ({ scores }: Reranked): number[] =>
  [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));

describe('late interaction', () => {
  const kind = { kind: 'late-interaction' } as const;

  test('lifts what answers above what is about the same, in both languages', async () => {
    const english = await run(kind, 'How long is the warranty of the printer?', [
      { title: 'Printer', content: 'The printer is made of steel. Its warranty seal must not be broken.', score: 1 },
      { title: 'Printer', content: 'The warranty of the printer is two years and 3 months long.', score: 0.95 },
    ]);
    expect(order(english)[0]).toBe(1);
    const japanese = await run(kind, '保証期間は何年ですか', [
      { title: 'プリンター', content: '保証書は大切に保管してください。期間限定の色もあります。', score: 1 },
      { title: 'プリンター', content: '保証期間はお買い上げから2年です。', score: 0.95 },
    ]);
    expect(order(japanese)[0]).toBe(1);
  });

  test('scores stay in 0..1, and where texts say nothing the order stands', async () => {
    const { scores } = await run(
      kind,
      'いつ when how many',
      texts([1, '2024年1月1日 1 2 3'], [0.4, ''], [0, '\ud800']),
    );
    for (const score of scores) expect(score).toBeWithin(0, 1.000001);
    expect(order(await run(kind, '!?', texts([0.9, 'a'], [0.5, 'b'], [0.7, 'c'])))).toEqual([0, 2, 1]);
    expect((await run(kind, 'q', [])).scores).toEqual([]);
  });
});

describe('maximal marginal relevance', () => {
  const twins = texts(
    [1, 'Reset the password on the login page.'],
    [0.95, 'Reset the password on the login page!'],
    [0.6, '請求書は毎月末に発行されます。'],
  );

  test('with lambda 1 relevance alone counts, below it a twin gives way', async () => {
    expect(order(await run({ kind: 'mmr', lambda: 1 }, 'password', twins))).toEqual([0, 1, 2]);
    expect(order(await run({ kind: 'mmr', lambda: 0.5 }, 'password', twins))).toEqual([0, 2, 1]);
  });

  test('scores lie in 0..1 and fall in the order of taking', async () => {
    for (const lambda of [0, 0.3, 0.7, 1]) {
      const { scores } = await run({ kind: 'mmr', lambda }, 'password', twins);
      for (const score of scores) expect(score).toBeWithin(0, 1.000001);
    }
  });
});

describe('cross-encoder', () => {
  const kind = { kind: 'cross-encoder', route: 'judge' } as const;
  const ten = texts(...Array.from({ length: 12 }, (_, i): [number, string] => [1 - i / 20, `text ${i}`]));

  test('asks the route of the collection, whichever routes the caller may use', async () => {
    let seen: RerankModelCall | undefined;
    const answer = (call: RerankModelCall): RerankOutcome => {
      seen = call;
      return outcome([{ index: 0, score: 0.5 }]);
    };
    await run(kind, 'question', [{ title: 'Title', content: 'x'.repeat(9_000), score: 1 }], answer);
    expect(seen).toMatchObject({ route: 'judge', principal: { allowedRoutes: [] }, request: { query: 'question' } });
    expect(seen?.request.documents[0]?.startsWith('Title\nxxx')).toBe(true);
    expect(seen?.request.documents[0]?.length).toBe(4_000);
  });

  test('what lies deep is brought up, and a sure first place is not lost to a near miss', async () => {
    const deep = await run(kind, 'q', ten, () =>
      outcome([
        { index: 11, score: 1 },
        { index: 0, score: 0.4 },
      ]),
    );
    expect(order(deep)[0]).toBe(0);
    expect(order(deep).indexOf(11)).toBeLessThan(4);
    const near = await run(kind, 'q', ten.slice(0, 2), () =>
      outcome([
        { index: 1, score: 0.6 },
        { index: 0, score: 0.5 },
      ]),
    );
    expect(order(near)).toEqual([0, 1]);
  });

  test('scores on any scale, and texts left out of the answer, are placed', async () => {
    const logits = await run(kind, 'q', ten.slice(0, 4), () =>
      outcome([
        { index: 3, score: 8.5 },
        { index: 1, score: -3 },
        { index: 0, score: -11 },
      ]),
    );
    expect(logits.raw).toEqual([-11, -3, -11, 8.5]);
    for (const score of logits.scores) expect(score).toBeWithin(0, 1.000001);
    expect(order(logits)[0]).toBe(3);
  });
});
