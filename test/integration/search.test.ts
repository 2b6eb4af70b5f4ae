import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';

let stage: AdminStage;
const GATE = 'The gate of the harbour opens at six. The gate closes at nine in the evening.';

beforeAll(async () => {
  stage = await startAdminStage({ routes: { fast: ['up/gpt-4o-mini'], judge: ['up/gpt-4o-mini'] } });
  const sections = Array.from(
    { length: 6 },
    (_, i) => `## Berth ${i}\n\n${`Berth ${i} takes the ferry of pier ${i}. `.repeat(40)}`,
  );
  const told = await stage.ask('POST', '/v1/index', {
    collection_name: 'harbour',
    documents: [
      { id: 'gate', title: 'Gate', content: GATE, metadata: { lang: 'en' } },
      { id: 'mon', title: '門', content: '港の門は朝六時に開きます。夜九時に閉まります。', metadata: { lang: 'ja' } },
      { id: 'berths', title: 'Berths', content: sections.join('\n\n') },
    ],
  });
  expect(told.status).toBe(200);
});
afterAll(() => stage.stop());

const search = (body: object, path = '/v1/search'): Promise<Told> =>
  stage.ask('POST', path, { collection: 'harbour', query: 'When does the gate open?', ...body });
const hitsOf = ({ json }: Told): JsonObject[] => {
  const hits = json['hits'];
  return Array.isArray(hits) ? hits.filter(isJsonObject) : [];
};

describe('POST /v1/search', () => {
  test('hits without a record, and with one of legs and rerank', async () => {
    const plain = await search({});
    expect(hitsOf(plain)[0]).toMatchObject({
      document_id: 'gate',
      title: 'Gate',
      content: GATE,
      start: 0,
      end: GATE.length,
    });
    expect(hitsOf(plain)[0]?.['explain']).toBeUndefined();
    expect(plain.json['explain']).toBeUndefined();
    const told = await search({ explain: true, filters: { lang: ['en', 'ja'] } });
    expect(told.json).toMatchObject({
      explain: { mode: 'hybrid', fusion: 'convex', reranker: 'late-interaction', filters: { lang: ['en', 'ja'] } },
      timings: { rerankMs: expect.any(Number) },
    });
    expect(hitsOf(told)[0]?.['explain']).toMatchObject({
      lexical: { rank: 1 },
      rerank: { kind: 'late-interaction', rank_before: 1, rank_after: 1 },
    });
  });

  test('a request chooses its legs, turns the reranker off, and asks several queries at once', async () => {
    const lexical = await search({ mode: 'lexical', rerank: 'off', explain: true });
    expect(lexical.json['explain']).toMatchObject({ mode: 'lexical', reranker: 'none', queries: [{ dense: 0 }] });
    expect(hitsOf(lexical)[0]?.['explain']).not.toHaveProperty('rerank');
    const several = await search({ queries: [{ text: '港の門' }], hyde: 'It opens at six.', explain: true, top_k: 2 });
    expect(several.json['explain']).toMatchObject({ queries: [{ weight: 1 }, { text: '港の門' }, { weight: 0.5 }] });
    expect(
      hitsOf(several)
        .map((hit) => String(hit['document_id']))
        .toSorted(),
    ).toEqual(['gate', 'mon']);
  });

  test('chunks that follow each other are one passage of the stored text', async () => {
    const document = await stage.ask('GET', '/v1/collections/harbour/documents/berths');
    const text = document.json['content'];
    const hits = hitsOf(await search({ query: 'ferry of the berth and its pier', top_k: 10, explain: true }));
    const berths = hits.filter((hit) => hit['document_id'] === 'berths');
    expect(berths.some((hit) => isJsonObject(hit['explain']) && Array.isArray(hit['explain']['chunks']))).toBe(true);
    for (const { start, end, content } of berths) {
      expect(typeof text === 'string' && content === text.slice(Number(start), Number(end))).toBe(true);
    }
  });

  test.each([
    { mode: 'both' },
    { rerank: 'on' },
    { top_k: 0 },
    { queries: Array.from({ length: 11 }, () => ({ text: 'x' })) },
    { queries: [{ text: 'x', weight: -1 }] },
    { hyde: '' },
    { unknown: 1 },
  ])('%j is refused', async (body) => {
    expect((await search(body)).status).toBe(400);
  });
});

describe('POST /v1/search/why-not', () => {
  const whyNot = async (document_id: string, body: object = {}): Promise<Told> =>
    search({ document_id, ...body }, '/v1/search/why-not');

  test('tells what stands in the way, or that nothing does', async () => {
    expect((await whyNot('gate')).json).toMatchObject({ document_id: 'gate', reason: 'found', rank: 1 });
    expect((await whyNot('nothing')).json).toEqual({ document_id: 'nothing', reason: 'not_in_collection' });
    expect((await whyNot('gate', { filters: { lang: 'ja' } })).json).toMatchObject({
      reason: 'filtered',
      conditions: ['lang'],
    });
    const below = await whyNot('mon', { top_k: 1 });
    expect(below.json).toMatchObject({ reason: 'below_top_k', legs: { dense: { score: expect.any(Number) } } });
    expect(Number(below.json['needed_score'])).toBeGreaterThan(Number(below.json['score']));
  });

  test('a collection that is not there, and a key that may not use it', async () => {
    expect((await whyNot('gate', { collection: 'nowhere' })).status).toBe(404);
    const made = await stage.ask('POST', '/v1/keys', { name: 'other', allowed_routes: ['rag/other'] });
    const secret = String(made.json['key']);
    const body = { collection: 'harbour', query: 'gate', document_id: 'gate' };
    expect((await stage.ask('POST', '/v1/search/why-not', body, secret)).status).toBe(403);
  });
});

test('a collection chooses a model that reranks; where it fails the order of the legs stands, and that is told', async () => {
  const collection = 'judged';
  const documents = ['a', 'b', 'c'].map((id, i) => ({ id, content: `${'gate '.repeat(3 - i)} and pier ${id}` }));
  expect((await stage.ask('POST', '/v1/index', { collection_name: collection, documents })).status).toBe(200);
  const settings = { retrieval: { reranker: { kind: 'cross-encoder', route: 'judge' }, top_k: 3 } };
  expect((await stage.ask('PATCH', `/v1/collections/${collection}`, { settings })).status).toBe(200);

  const asked = stage.upstream.requests.length;
  const judged = await search({ collection, query: 'gate', explain: true });
  expect(stage.upstream.requests.slice(asked).map(({ path }) => path)).toEqual(['/v1/rerank']);
  const kinds = hitsOf(judged).map(({ explain }) => (isJsonObject(explain) ? explain['rerank'] : undefined));
  expect(kinds).toMatchObject([{ kind: 'cross-encoder' }, { kind: 'cross-encoder' }, { kind: 'cross-encoder' }]);
  expect(judged.json['degraded']).toBeUndefined();

  stage.upstream.onModel('gpt-4o-mini', { fail: { status: 503 } });
  const degraded = await search({ collection, query: 'gate at the pier', explain: true });
  expect(degraded.status).toBe(200);
  expect(hitsOf(degraded)).toHaveLength(3);
  expect(hitsOf(degraded)[0]?.['explain']).not.toHaveProperty('rerank');
  expect(String(degraded.json['degraded'])).toStartWith('upstream_');
});

test('a question chooses its legs too, and is not given what was answered from others', async () => {
  const query = async (body: object): Promise<Told> =>
    stage.ask('POST', '/v1/query', {
      collection: 'harbour',
      query: 'When does the gate open?',
      explain: true,
      ...body,
    });
  const legsOf = ({ json }: Told): string[] => {
    const explain = json['explain'];
    const hits = isJsonObject(explain) && Array.isArray(explain['hits']) ? explain['hits'].filter(isJsonObject) : [];
    return ['lexical', 'dense'].filter((leg) => hits.some((hit) => leg in hit));
  };
  expect(legsOf(await query({}))).toEqual(['lexical', 'dense']);
  expect(legsOf(await query({ mode: 'lexical', rerank: 'off' }))).toEqual(['lexical']);
  expect(legsOf(await query({ mode: 'dense' }))).toEqual(['dense']);
  expect((await query({ mode: 'sparse' })).status).toBe(400);
});
