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
    const limited = new SekishoError('rate_limited');
    await expect(ask({}, { embedQuery: () => Promise.reject(limited) })).rejects.toBe(limited);
    const left = new AbortController();
    left.abort();
    await expect(ask({ signal: left.signal })).rejects.toMatchObject({ code: 'caller_left' });
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
