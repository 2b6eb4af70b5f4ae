import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { ChunkIndex } from '../../ports/chunk-index.ts';
import { SekishoError } from '../../spec/errors.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { createLanceIndex } from '../../stores/lance/lance-index.ts';
import { tagsOf } from '../tags.ts';
import { defaultCollectionSettings, type RetrievalSettings } from '../../spec/collection.ts';
import type { Reranker } from './rerank/reranker.ts';
import { createRetrieve } from './retrieve.ts';
import type { LiveSpan, RetrieveDeps, RetrieveRequest, RetrieveResult } from './retrieve.ts';

const analyser = createTextAnalyser();

/** A vector of three topics: enough to tell by meaning what shares no word. */
function topicVector(text: string): Float32Array {
  const topics = [/leave|holiday|vacation|休暇|有給/i, /password|login|パスワード/i, /invoice|payment|請求/i];
  const vector = Float32Array.from(topics, (topic) => (topic.test(text) ? 1 : 0.05));
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const DOCUMENTS: { id: string; title: string; text: string; metadata: JsonObject }[] = [
  {
    id: 'leave',
    title: 'Leave',
    text: 'Employees take twenty days of annual leave.',
    metadata: { lang: 'en', year: 2024 },
  },
  { id: 'kyuka', title: '休暇', text: '有給休暇は年に二十日取得できます。', metadata: { lang: 'ja', year: 2024 } },
  {
    id: 'login',
    title: 'Login',
    text: 'Reset a forgotten password on the login page.',
    metadata: { lang: 'en', year: 2023 },
  },
  { id: 'seikyu', title: '請求', text: '請求書は毎月末に発行されます。', metadata: { lang: 'ja', year: 2023 } },
];

const principal: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_test',
  name: 'test',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};

describe('retrieve', () => {
  let folder: string;
  let index: ChunkIndex;
  const hidden = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sekisho-retrieve-'));
    index = createLanceIndex({ folder });
    const rows = DOCUMENTS.map(({ id, title, text, metadata }) => ({
      chunkId: `${id}#0`,
      documentId: id,
      ordinal: 0,
      start: 0,
      end: text.length,
      headingPath: [title],
      terms: analyser.terms(`${title} ${text}`).join(' '),
      vector: topicVector(text),
      tags: tagsOf(metadata),
    }));
    await index.replace(
      { tenantId: DEFAULT_TENANT, collection: 'manual', version: 1 },
      rows.map((r) => r.documentId),
      rows,
      true,
    );
  });
  afterAll(async () => {
    await index.close();
    await rm(folder, { recursive: true, force: true });
  });

  function ask(request: Partial<RetrieveRequest>, changes: Partial<RetrieveDeps> = {}): Promise<RetrieveResult> {
    const retrieve = createRetrieve({
      index,
      analyser,
      clock: systemClock,
      embedQuery: async ({ text }) => topicVector(text),
      rerankers: () => undefined,
      collections: {
        get: async (_, name) => (name === 'manual' ? { name, version: 1, embeddingRoute: 'topics' } : undefined),
      },
      documents: {
        hydrate: async (_tenant, _collection, spans) =>
          spans.map(({ documentId, start, end }): LiveSpan | undefined => {
            const found = DOCUMENTS.find((each) => each.id === documentId);
            if (found === undefined || hidden.has(documentId)) return undefined;
            return { title: found.title, content: found.text.slice(start, end), metadata: found.metadata };
          }),
      },
      ...changes,
    });
    return retrieve({
      principal,
      collection: 'manual',
      query: 'annual leave',
      topK: 3,
      signal: new AbortController().signal,
      requestId: 'req_test',
      ...request,
    });
  }
  const ids = (result: RetrieveResult): string[] => result.hits.map((hit) => hit.documentId);

  test('finds by words and by meaning, explains both, and fills hits from the documents', async () => {
    const { hits, timings } = await ask({});
    expect(hits.slice(0, 2).map((hit) => hit.documentId)).toEqual(['leave', 'kyuka']);
    expect(hits[0]).toMatchObject({
      chunkId: 'leave#0',
      content: 'Employees take twenty days of annual leave.',
      title: 'Leave',
      headingPath: ['Leave'],
      metadata: { lang: 'en', year: 2024 },
    });
    expect(hits[0]?.explain?.lexical?.rank).toBe(1);
    expect(hits[1]?.explain?.lexical).toBeUndefined();
    expect(hits[1]?.explain?.dense?.normalised).toBeGreaterThan(0.9);
    expect(timings.totalMs).toBeGreaterThan(0);
    expect(ids(await ask({ query: '請求書はいつ発行されますか' }))[0]).toBe('seikyu');
  });

  test('filters hold on both legs', async () => {
    expect(ids(await ask({ filters: { lang: 'ja' } })).sort()).toEqual(['kyuka', 'seikyu']);
    expect(ids(await ask({ filters: { lang: ['ja', 'en'], year: 2023 } })).sort()).toEqual(['login', 'seikyu']);
    expect(ids(await ask({ filters: { lang: "en'] OR true --" } }))).toEqual([]);
  });

  test('a document that may not be shown gives its place to the next', async () => {
    hidden.add('leave');
    const answer = await ask({ topK: 2 });
    hidden.clear();
    expect(ids(answer)[0]).toBe('kyuka');
    expect(answer.hits).toHaveLength(2);
  });

  test('an embedding upstream that fails costs the dense leg; limits and leaving are passed on', async () => {
    const down = new SekishoError('upstream_unreachable', { values: { target: 'x' } });
    const answer = await ask({}, { embedQuery: () => Promise.reject(down) });
    expect(ids(answer)).toEqual(['leave']);
    expect(answer.degradedBy).toBe(down);
    const dense = await ask({ mode: 'dense' }, { embedQuery: () => Promise.reject(down) });
    expect(ids(dense)).toEqual(['leave']);
    const limited = new SekishoError('rate_limited');
    await expect(ask({}, { embedQuery: () => Promise.reject(limited) })).rejects.toBe(limited);
    const left = new AbortController();
    left.abort();
    await expect(ask({ signal: left.signal })).rejects.toMatchObject({ code: 'caller_left' });
  });

  const settled = (settings: Partial<RetrievalSettings>): Partial<RetrieveDeps> => {
    const defaults = defaultCollectionSettings('topics');
    const stored = { retrieval: { ...defaults.retrieval, ...settings } };
    return {
      collections: {
        get: async (_, name) => ({ name, version: 1, embeddingRoute: 'topics', settings: stored }),
      },
    };
  };

  test('the collection says which legs, which fusion and how many, and a request says otherwise', async () => {
    const lexical = await ask({}, settled({ mode: 'lexical' }));
    expect(ids(lexical)).toEqual(['leave']);
    expect(lexical.record).toMatchObject({ mode: 'lexical', denseWeight: 0, queries: [{ lexical: 1, dense: 0 }] });
    expect(ids(await ask({ mode: 'dense' }, settled({ mode: 'lexical' })))).toContain('kyuka');
    const byRank = await ask({}, settled({ fusion: 'rrf' }));
    expect(byRank.hits[0]?.explain).toMatchObject({ lexical: { normalised: 1, weight: 0.5 } });
    expect(byRank.hits[0]?.score).toBeGreaterThan(0.99);
    expect((await ask({ settings: { fusion: 'rrf', denseWeight: 1 } })).record).toMatchObject({ denseWeight: 1 });
  });

  test('several queries are searched at once and fused; an imagined answer by its meaning alone', async () => {
    const { hits, record } = await ask({ queries: [{ text: '請求書はいつ発行されますか', weight: 2 }] });
    expect(hits.slice(0, 2).map((hit) => hit.documentId)).toEqual(['seikyu', 'leave']);
    expect(record.queries.map(({ weight }) => weight)).toEqual([1, 2]);
    expect(hits[0]?.explain?.queries?.some(({ query }) => query.startsWith('請求書'))).toBe(true);
    const imagined = await ask({ hyde: 'invoice payment', topK: 4 });
    expect(imagined.record.queries[1]).toMatchObject({ text: 'invoice payment', lexical: 0 });
    expect(ids(imagined).indexOf('seikyu')).toBeLessThan(ids(imagined).indexOf('login'));
    expect(ids(imagined)[0]).toBe('leave');
    await expect(ask({ queries: Array.from({ length: 11 }, () => ({ text: 'x' })) })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(ask({ queries: [{ text: 'x', weight: 0 }] })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('age and trust press down, a tier of 0 is kept out, and no reranker lifts it', async () => {
    const trust = { field: 'lang', factors: { en: 0.1, fr: 0 } };
    const pressed = await ask({ query: 'annual leave 休暇' }, settled({ trust }));
    expect(ids(pressed)[0]).toBe('kyuka');
    expect(pressed.hits[0]?.explain?.factors).toEqual({ trust: 1 });
    const turned: Reranker = {
      kind: 'mmr',
      depth: 20,
      rerank: async ({ candidates }) => ({ scores: candidates.map(() => 1), raw: candidates.map(() => 1) }),
    };
    const reranked = await ask({}, { ...settled({ trust }), rerankers: () => turned });
    expect(reranked.hits.at(-1)?.metadata['lang']).toBe('en');
    const shut = await ask({}, settled({ trust: { field: 'lang', factors: { en: 0 } } }));
    expect(shut.hits.every((hit) => hit.metadata['lang'] === 'ja')).toBe(true);
    expect(shut.hits).toHaveLength(2);
  });

  test('a reranker orders, says what it changed, and is let go where its upstream fails', async () => {
    const turned: Reranker = {
      kind: 'cross-encoder',
      depth: 2,
      rerank: async ({ candidates }) => ({ scores: candidates.map((_, i) => i / 2), raw: candidates.map((_, i) => i) }),
    };
    const answer = await ask({ topK: 4 }, { rerankers: () => turned });
    expect(ids(answer).slice(0, 2)).toEqual(['kyuka', 'leave']);
    expect(answer.hits[0]?.explain?.rerank).toEqual({ kind: 'cross-encoder', raw: 1, rankBefore: 2, rankAfter: 1 });
    expect(answer.hits[2]?.explain?.rerank).toBeUndefined();
    expect(answer.hits.map(({ score }) => score)).toEqual(answer.hits.map(({ score }) => score).sort((a, b) => b - a));

    const down = new SekishoError('upstream_unreachable', { values: { target: 'x' } });
    const failing: Reranker = { kind: 'cross-encoder', depth: 2, rerank: () => Promise.reject(down) };
    const degraded = await ask({}, { rerankers: () => failing });
    expect(ids(degraded)[0]).toBe('leave');
    expect(degraded.degradedBy).toBe(down);
    for (const code of ['upstream_rejected', 'route_not_found', 'unsupported_parameter'] as const) {
      const lost: Reranker = { ...failing, rerank: () => Promise.reject(new SekishoError(code)) };
      expect((await ask({}, { rerankers: () => lost })).degradedBy?.code).toBe(code);
    }
    const broke = new SekishoError('rate_limited');
    const refusing: Reranker = { ...failing, rerank: () => Promise.reject(broke) };
    await expect(ask({}, { rerankers: () => refusing })).rejects.toBe(broke);
    const off = await ask({ rerank: 'off' }, { rerankers: ({ kind }) => (kind === 'none' ? undefined : failing) });
    expect(off.degradedBy).toBeUndefined();
  });

  test('a document that was replaced after the search is searched for again, a deleted one once', async () => {
    const searched: string[] = [];
    let replaced = 1;
    const flaky: Partial<RetrieveDeps> = {
      index: {
        searchLexical: (...asked) => {
          searched.push('lexical');
          return index.searchLexical(...asked);
        },
        searchDense: (...asked) => index.searchDense(...asked),
      },
      documents: {
        hydrate: async (_tenant, _collection, spans) => {
          const missing = replaced-- > 0;
          return spans.map(({ documentId }): LiveSpan | undefined =>
            missing && documentId === 'leave' ? undefined : { title: '', content: 'text', metadata: {} },
          );
        },
      },
    };
    expect(ids(await ask({}, flaky))[0]).toBe('leave');
    expect(searched).toHaveLength(2);
    searched.length = 0;
    replaced = Infinity;
    expect(ids(await ask({}, flaky))).not.toContain('leave');
    expect(searched).toHaveLength(2);
  });

  test.each<[Partial<RetrieveRequest>, string]>([
    [{ collection: 'nowhere' }, 'collection_not_found'],
    [{ query: '  ' }, 'invalid_request'],
    [{ query: 'x'.repeat(16_385) }, 'invalid_request'],
    [{ topK: 0 }, 'invalid_request'],
    [{ topK: 101 }, 'invalid_request'],
    [{ topK: 1.5 }, 'invalid_request'],
    [{ filters: { a: { b: 1 } } }, 'invalid_request'],
  ])('%j is refused as %s', async (request, code) => {
    await expect(ask(request)).rejects.toMatchObject({ code });
  });
});
