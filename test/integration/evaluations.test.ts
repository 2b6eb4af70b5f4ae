import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { eventually } from '../support/eventually.ts';
import { writeTinyModel } from '../support/onnx/tiny-model.ts';

/** Twelve subjects, each in a document of its own, asked about in words that the documents share in part. */
const SUBJECTS = [
  ['ferry', 'The ferry crosses the strait four times a day in summer.'],
  ['lamp', 'The lamp above the eastern door burns whale oil.'],
  ['bridge', 'The bridge of cedar was rebuilt after the flood.'],
  ['tax', 'The tax on salt is paid at the gate in silver.'],
  ['horse', 'A horse may rest in the stable for two nights.'],
  ['letter', 'A letter of passage bears the seal of the governor.'],
  ['bell', 'The bell is rung when the fog comes down.'],
  ['guard', 'The guard changes at dawn and at dusk.'],
  ['温泉', '温泉は門の裏にあり、旅人は無料で入れます。'],
  ['祭り', '祭りは毎年十月の満月の夜に行われます。'],
  ['茶屋', '茶屋では朝から団子と抹茶を出します。'],
  ['峠', '峠の道は雪のため一月から三月まで閉じます。'],
] as const;

/** A model that writes the same question about everything. */
const writer = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: () =>
    Response.json({
      id: 'x',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          message: { role: 'assistant', content: 'Here: {"question": "Who changes at dawn?"} — that is it.' },
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }),
});
afterAll(() => writer.stop(true));

let stage: AdminStage;
let models: string;
beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), 'sekisho-models-'));
  // Knows no word of the documents: every text has the same vector.
  writeTinyModel(join(models, 'blind'), { kind: 'embedding', words: { nothing: [1, 2] } });
  writeTinyModel(join(models, 'loves-bells'), { kind: 'rerank', words: { bell: [5], fog: [5] } });
  stage = await startAdminStage({ models: { folder: models } });
  const documents = SUBJECTS.map(([id, content]) => ({ id, content }));
  await stage.ask('POST', '/v1/index', { collection_name: 'road', documents });
});
afterAll(async () => {
  await stage.stop();
  rmSync(models, { recursive: true });
});

const road = '/v1/collections/road';
const cases = SUBJECTS.flatMap(([id, content]) => [
  { id: `${id}-1`, question: `${id}?`, relevant: [{ document: id }] },
  { id: `${id}-2`, question: content.slice(0, 18), relevant: [{ document: id, quote: content.slice(4, 12) }] },
]);

/** Begins a job of the collection and gives its result. */
async function done(path: string, body: object = {}): Promise<JsonObject> {
  const { status, json } = await stage.ask('POST', path, body);
  expect(status).toBe(202);
  const url = stringAt(json, 'status_url') ?? '';
  const task = await eventually(
    'the job ends',
    async () => {
      const { json: told } = await stage.ask('GET', url);
      return ['done', 'failed'].includes(stringAt(told, 'state') ?? '') && told;
    },
    20_000,
  );
  return stringAt(task, 'state') === 'done' ? (objectAt(task, 'result') ?? {}) : task;
}

const collection = async (): Promise<JsonObject> => (await stage.ask('GET', road)).json;

describe('golden sets', () => {
  test('an empty one cannot be evaluated, and says so', async () => {
    const failed = await done(`${road}/evaluations`);
    expect(stringAt(objectAt(failed, 'failure') ?? {}, 'message')).toContain('has 0 cases');
  });

  test('cases come in, once however often they are sent, and are shown by pages', async () => {
    for (let at = 0; at < 2; at++) {
      const { json } = await stage.ask('POST', `${road}/golden-set`, { cases });
      expect(json['cases']).toBe(24);
    }
    const { json } = await stage.ask('GET', `${road}/golden-set?limit=20`);
    expect(json['has_more']).toBe(true);
    expect(arrayAt(json, 'data')).toHaveLength(20);
  });

  test('what makes no case is refused, and nothing of it comes in', async () => {
    const wrong = [
      { cases: [] },
      { cases: [{ question: '', relevant: [{ document: 'x' }] }] },
      { cases: [...cases.slice(0, 2), { question: 'q', relevant: [] }] },
      { cases: [{ question: 'q', relevant: [{ document: 'x', page: 3 }] }] },
      { cases: Array.from({ length: 1_001 }, (_, at) => ({ question: `${at}`, relevant: [{ document: 'x' }] })) },
    ];
    for (const body of wrong) expect((await stage.ask('POST', `${road}/golden-set`, body)).status).toBe(400);
    expect((await stage.ask('GET', '/v1/collections/nowhere/golden-set')).status).toBe(404);
    expect(arrayAt((await stage.ask('GET', `${road}/golden-set?limit=1000`)).json, 'data')).toHaveLength(24);
  });

  test('are for administrators who may use the collection', async () => {
    const key = await stage.server.createKey({ name: 'member' });
    for (const [method, path] of [
      ['GET', 'golden-set'],
      ['POST', 'evaluations'],
      ['POST', 'tune'],
      ['DELETE', 'golden-set'],
    ] as const)
      expect((await stage.ask(method, `${road}/${path}`, method === 'POST' ? {} : undefined, key)).status).toBe(403);
  });
});

describe('an evaluation', () => {
  test('tells the figures, then how they differ from the run before', async () => {
    const first = await done(`${road}/evaluations`);
    expect(first).toMatchObject({ cases: 24, k: 10, index_version: 1, comparison: null });
    const metrics = objectAt(first, 'metrics') ?? {};
    expect(numberAt(metrics, 'hit')).toBeGreaterThan(0.9);
    expect(numberAt(metrics, 'precision')).toBeLessThanOrEqual(0.11);

    // Of two dense legs that know nothing the second cannot be better.
    await stage.ask('PATCH', road, { settings: { retrieval: { mode: 'lexical', reranker: { kind: 'none' } } } });
    const second = await done(`${road}/evaluations`);
    const comparison = objectAt(second, 'comparison') ?? {};
    expect(comparison).toMatchObject({ previous: first['id'], cases: 24 });
    const mrr = objectAt(objectAt(comparison, 'differences') ?? {}, 'mrr') ?? {};
    const before = numberAt(objectAt(first, 'metrics') ?? {}, 'mrr') ?? 0;
    const after = numberAt(objectAt(second, 'metrics') ?? {}, 'mrr') ?? 0;
    expect(numberAt(mrr, 'mean')).toBeCloseTo(after - before, 6);
    const { json } = await stage.ask('GET', `${road}/evaluations`);
    expect(arrayAt(json, 'data').map((run) => isJsonObject(run) && run['id'])).toEqual([
      second['id'] as string,
      first['id'] as string,
    ]);
    const { json: detail } = await stage.ask('GET', `${road}/evaluations/${String(second['id'])}`);
    expect(arrayAt(detail, 'per_case')).toHaveLength(24);
  });

  test('tuning names what finds most, and whether that holds on the other half', async () => {
    const tuned = await done(`${road}/tune`, { k: 1 });
    const heldOut = objectAt(tuned, 'held_out') ?? {};
    expect(heldOut['cases']).toBe(12);
    expect(tuned['better']).toBe((numberAt(heldOut, 'mean') ?? 0) > 0);
    const tried = arrayAt(tuned, 'tried').filter(isJsonObject);
    expect(tried.length).toBeGreaterThan(10);
    const values = tried.map((each) => numberAt(each, 'ndcg') ?? 0);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    // Nothing is changed by it.
    expect(objectAt(objectAt(await collection(), 'settings') ?? {}, 'retrieval')).toMatchObject({ mode: 'lexical' });
  });

  test('drafting without a model that writes says so', async () => {
    const failed = await done(`${road}/golden-set/draft`, { cases: 2 });
    expect(stringAt(objectAt(failed, 'failure') ?? {}, 'message')).toContain('no model that writes');
  });

  test('drafts of a model are kept as drafts', async () => {
    const base_url = `http://127.0.0.1:${writer.port}/v1`;
    await stage.ask('PUT', '/v1/providers/writer', { wire: 'openai', base_url, models: ['m'] });
    await stage.ask('PATCH', road, { settings: { answer: { route: 'writer/m' } } });
    const { ids } = await done(`${road}/golden-set/draft`, { cases: 1 });
    const { json } = await stage.ask('GET', `${road}/golden-set?limit=1000`);
    const drafted = arrayAt(json, 'data').filter((each) => isJsonObject(each) && each['origin'] === 'drafted');
    expect(drafted).toHaveLength(1);
    expect(drafted[0]).toMatchObject({ question: 'Who changes at dawn?', id: Array.isArray(ids) ? ids[0] : '' });
    await stage.ask('DELETE', `${road}/golden-set/${encodeURIComponent(String(Array.isArray(ids) && ids[0]))}`);
  });
});

describe('an index that finds less', () => {
  test('does not take the place of the live one unless it is forced', async () => {
    const dense = { mode: 'dense', reranker: { kind: 'none' } };
    await stage.ask('PATCH', road, { settings: { retrieval: dense, index: { embedding_route: 'local/blind' } } });
    const refused = await eventually(
      'the new index waits',
      async () => {
        const shadow = objectAt(await collection(), 'shadow');
        return shadow?.['state'] === 'waiting' && shadow;
      },
      20_000,
    );
    expect(stringAt(refused, 'failure')).toMatch(/nDCG@10 falls from [01]\.\d+ to 0\.\d+/);
    expect(await collection()).toMatchObject({ version: 1, embedding_model: 'static-en-ja' });

    await stage.ask('POST', `${road}/swap`, { force: true });
    await eventually('it is live', async () => (await collection())['embedding_model'] === 'local/blind', 20_000);
    const after = await done(`${road}/evaluations`);
    expect(numberAt(objectAt(after, 'metrics') ?? {}, 'hit1')).toBeLessThan(0.5);

    await stage.ask('POST', `${road}/rollback`);
    await eventually('the old one is back', async () => (await collection())['version'] === 1, 20_000);
    const back = await done(`${road}/evaluations`);
    expect(numberAt(objectAt(back, 'metrics') ?? {}, 'hit1')).toBeGreaterThan(0.5);
  });
});

describe('a local reranker', () => {
  test('orders what was found', async () => {
    const settings = {
      retrieval: { mode: 'lexical', reranker: { kind: 'cross-encoder', route: 'local/loves-bells' } },
    };
    await stage.ask('PATCH', road, { settings });
    const { json } = await stage.ask('POST', '/v1/search', {
      collection: 'road',
      query: 'the bell guard',
      explain: true,
    });
    const [best] = arrayAt(json, 'hits').filter(isJsonObject);
    expect(best).toMatchObject({ document_id: 'bell' });
    expect(objectAt(objectAt(best ?? {}, 'explain') ?? {}, 'rerank')).toMatchObject({ kind: 'cross-encoder' });
  });
});
