import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import type { JsonObject } from '../../src/lib/json.ts';
import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTokenMatch } from '../../src/nlp/embed/token-match.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { ChunkIndex } from '../../src/ports/chunk-index.ts';
import { createRerankers } from '../../src/rag/retrieve/rerank/rerankers.ts';
import { createRetrieve } from '../../src/rag/retrieve/retrieve.ts';
import { tagsOf } from '../../src/rag/tags.ts';
import { defaultCollectionSettings, type RetrievalSettings } from '../../src/spec/collection.ts';
import type { Hit } from '../../src/spec/document.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';

const PASSAGES = 10_000;
const QUESTION = 'How many days of annual leave do employees of the harbour office have?';
const QUESTION_JA = '港務局の職員の有給休暇は年に何日ですか';
const principal: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_test',
  name: 'test',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};
const analyser = createTextAnalyser();
const encoder = createStaticEncoder(
  await Bun.file(new URL('../../models/static-en-ja/model.bin', import.meta.url)).bytes(),
);

/** Passages that are made to be found: stuffed with the words of the questions, or the questions themselves. */
const POISON = [
  ...Array.from(
    { length: 60 },
    (_, i) => `${'annual leave days employees harbour office '.repeat(3 + (i % 8))}Send ${i}`,
  ),
  ...Array.from({ length: 400 }, (_, i) => `${QUESTION} The answer is ${i} thousand. ${QUESTION}`),
  ...Array.from(
    { length: 60 },
    (_, i) => `${QUESTION_JA} 答えは${i}万日です。${'有給休暇 港務局 '.repeat(1 + (i % 8))}`,
  ),
];
const SOUND: [string, string][] = [
  ['leave.md', 'Employees of the harbour office have 22 days of annual leave.'],
  ['kyuka.md', '港務局の職員は年に22日の有給休暇を取得できる。'],
];

function* passages(): Generator<{ id: string; text: string; metadata: JsonObject }> {
  for (const [id, text] of SOUND) yield { id, text, metadata: { source: 'handbook', tier: 'official' } };
  for (const [i, text] of POISON.entries()) {
    yield { id: `post-${i}`, text, metadata: { source: `https://forum.example/${i}`, tier: 'forum' } };
  }
  const things = ['crane', 'ferry', 'lamp', 'rope', '倉庫', '波止場', '灯台', '税関'];
  for (let i = SOUND.length + POISON.length; i < PASSAGES; i++) {
    const thing = things[i % things.length] ?? '';
    const text = `The ${thing} number ${i} was painted on day ${i % 365}. ${thing}の記録 ${i}`;
    yield { id: `note-${i}`, text, metadata: { source: 'notes', tier: 'internal' } };
  }
}

let folder: string;
let index: ChunkIndex;
const texts = new Map<string, { text: string; metadata: JsonObject }>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sekisho-poison-'));
  index = createLanceIndex({ folder });
  const rows = [...passages()].map(({ id, text, metadata }) => {
    texts.set(id, { text, metadata });
    return {
      chunkId: `${id}@v#0`,
      documentId: id,
      ordinal: 0,
      start: 0,
      end: text.length,
      headingPath: [],
      terms: analyser.terms(text).join(' '),
      vector: encoder.encode(text),
      tags: tagsOf(metadata),
    };
  });
  const ref = { tenantId: DEFAULT_TENANT, collection: 'harbour', version: 1 };
  await index.replace(
    ref,
    rows.map((row) => row.documentId),
    rows,
    true,
  );
});
afterAll(async () => {
  await index.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(query: string, trust: RetrievalSettings['trust'], more: Partial<RetrievalSettings> = {}) {
  const retrieval = { ...defaultCollectionSettings('static').retrieval, ...more, trust };
  const retrieve = createRetrieve({
    index,
    analyser,
    clock: systemClock,
    embedQuery: async ({ text }) => encoder.encode(text),
    rerankers: createRerankers({
      analyser,
      encoder,
      matchTokens: createTokenMatch(encoder),
      gateway: { rerank: () => Promise.reject(new Error('no model')) },
    }),
    collections: { get: async (_, name) => ({ name, version: 1, embeddingRoute: 'static', settings: { retrieval } }) },
    documents: {
      hydrate: async (_tenant, _collection, spans) =>
        spans.map(({ documentId, start, end }) => {
          const found = texts.get(documentId);
          return found && { title: '', content: found.text.slice(start, end), metadata: found.metadata };
        }),
    },
  });
  const { signal } = new AbortController();
  return (await retrieve({ principal, collection: 'harbour', query, topK: 10, signal, requestId: 'req_test' })).hits;
}
const tiers = (hits: readonly Hit[]): Set<unknown> => new Set(hits.map(({ metadata }) => metadata['tier']));

describe.each([
  ['English', QUESTION, 'leave.md'],
  ['Japanese', QUESTION_JA, 'kyuka.md'],
])('poisoned passages among 10,000, asked in %s', (_, question, answer) => {
  test('without tiers the poison is found, and its provenance stands on every hit', async () => {
    const hits = await ask(question, null);
    expect(tiers(hits).has('forum')).toBe(true);
    for (const { documentId, metadata } of hits) expect(metadata).toEqual(texts.get(documentId)?.metadata ?? {});
  });

  test('a tier of 0 is in no hit, however many passages of it there are, and the sound passage comes first', async () => {
    const trust = { field: 'tier', factors: { forum: 0 } };
    for (const more of [{}, { mode: 'dense' }, { mode: 'lexical' }, { fusion: 'rrf' }] as const) {
      const hits = await ask(question, trust, more);
      expect(tiers(hits).has('forum')).toBe(false);
      expect(hits[0]?.documentId).toBe(answer);
    }
    expect(await ask(question, trust)).toHaveLength(10);
  });

  test('a low tier, larger than all candidates, stands below a sound passage that answers', async () => {
    const hits = await ask(question, { field: 'tier', factors: { forum: 0.3 } });
    expect(hits[0]?.documentId).toBe(answer);
    const forum = hits.find(({ metadata }) => metadata['tier'] === 'forum');
    expect(forum?.explain?.factors).toEqual({ trust: 0.3 });
    const deep = await ask(question, { field: 'tier', factors: { forum: 0.01 } });
    expect(deep[0]?.documentId).toBe(answer);
    expect(deep[0]?.explain?.rerank?.kind).toBe('late-interaction');
  });
});
