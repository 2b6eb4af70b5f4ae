import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { ChunkIndex } from '../../ports/chunk-index.ts';
import { defaultCollectionSettings, type RetrievalSettings } from '../../spec/collection.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { createLanceIndex } from '../../stores/lance/lance-index.ts';
import { accessTags } from '../access.ts';
import type { DocumentRecord } from '../documents.ts';
import { tagsOf } from '../tags.ts';
import type { RetrieveRequest } from './plan-search.ts';
import type { Reranker } from './rerank/reranker.ts';
import { createRetrieve, type RetrieveDeps } from './retrieve.ts';
import { createWhyNot, type WhyNot } from './why-not.ts';

const analyser = createTextAnalyser();
const FILLERS = 110;

interface Stored {
  text: string;
  metadata: JsonObject;
  access: DocumentAccess | null;
  state: DocumentRecord['state'];
}
const stored = (text: string, more: Partial<Stored> = {}): Stored => ({
  text,
  metadata: {},
  access: null,
  state: 'ready',
  ...more,
});
const DOCUMENTS = new Map<string, Stored>([
  ['best', stored('annual leave annual leave', { metadata: { lang: 'en' } })],
  ['second', stored('annual leave and much else that has nothing to do with it', { metadata: { lang: 'en' } })],
  ['secret', stored('annual leave of the board', { access: { groups: ['board'] } })],
  ['spam', stored('annual leave annual leave annual leave', { metadata: { tier: 'spam' } })],
  ['apart', stored('zebra', { metadata: { lang: 'ja' } })],
  ['waiting', stored('annual leave', { state: 'failed' })],
  ...Array.from({ length: FILLERS }, (_, i): [string, Stored] => [`filler${i}`, stored(`annual holiday ${i}`)]),
]);

const admin: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_test',
  name: 'test',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};
const member: Principal = { ...admin, role: 'member' };

let folder: string;
let index: ChunkIndex;
const vectorOf = (text: string): Float32Array =>
  Float32Array.from([
    text.includes('leave') ? 1 : 0,
    text.includes('zebra') ? -1 : 0.1,
    text.includes('holiday') ? 0.5 : 0,
  ]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sekisho-why-not-'));
  index = createLanceIndex({ folder });
  const rows = [...DOCUMENTS].flatMap(([id, { text, metadata, access, state }]) =>
    state === 'failed'
      ? []
      : {
          chunkId: `${id}@v#0`,
          documentId: id,
          ordinal: 0,
          start: 0,
          end: text.length,
          headingPath: [],
          terms: analyser.terms(text).join(' '),
          vector: vectorOf(text),
          tags: [...tagsOf(metadata), ...accessTags(access)],
        },
  );
  const ref = { tenantId: DEFAULT_TENANT, collection: 'manual', version: 1 };
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

function ask(
  documentId: string,
  request: Partial<RetrieveRequest> = {},
  { reranker, ...settings }: Partial<Omit<RetrievalSettings, 'reranker'>> & { reranker?: Reranker } = {},
): Promise<WhyNot> {
  const retrieval = { ...defaultCollectionSettings('toy').retrieval, ...settings };
  const deps: RetrieveDeps = {
    index,
    analyser,
    clock: systemClock,
    embedQuery: async ({ text }) => vectorOf(text),
    rerankers: () => reranker,
    collections: { get: async (_, name) => ({ name, version: 1, embeddingRoute: 'toy', settings: { retrieval } }) },
    documents: {
      hydrate: async (_tenant, _collection, spans) =>
        spans.map((span) => {
          const found = DOCUMENTS.get(span.documentId);
          if (found === undefined) return undefined;
          return { title: '', content: found.text.slice(span.start, span.end), metadata: found.metadata };
        }),
    },
  };
  const get = async (_: unknown, id: string): Promise<DocumentRecord | undefined> => {
    const found = DOCUMENTS.get(id);
    if (found === undefined) return undefined;
    const { text, metadata, access, state } = found;
    const chunks = state === 'failed' ? 0 : 1;
    const failure = state === 'failed' ? 'no text layer' : null;
    return { id, title: '', state, failure, metadata, access, chunks, characters: text.length, updatedMs: 0 };
  };
  const whyNot = createWhyNot({ ...deps, documents: { ...deps.documents, get }, retrieve: createRetrieve(deps) });
  const { signal } = new AbortController();
  const asked: RetrieveRequest = {
    principal: admin,
    collection: 'manual',
    query: 'annual leave',
    topK: 1,
    signal,
    requestId: 'req_test',
  };
  return whyNot({ ...asked, ...request, documentId });
}

test('a hit says so, one below it what it would have needed', async () => {
  expect(await ask('spam')).toMatchObject({ reason: 'found', rank: 1, legs: { lexical: { rank: 1 } } });
  const second = await ask('second');
  expect(second).toMatchObject({ reason: 'below_top_k', legs: { lexical: { rank: expect.any(Number) } } });
  expect(second.neededScore ?? 0).toBeGreaterThan(second.score ?? 1);
  expect(second.rank).toBeGreaterThan(1);
  expect(await ask('second', { topK: 10 })).toMatchObject({ reason: 'found' });
});

test('one that no leg has among its candidates is told the scores of the last', async () => {
  const told = await ask('apart');
  expect(told.reason).toBe('not_a_candidate');
  expect(told.legs?.lexical).toEqual({ needed: expect.any(Number) });
  expect(told.legs?.dense?.needed ?? -1).toBeGreaterThan(told.legs?.dense?.score ?? 1);
  expect(told.fusedRank).toBeUndefined();
  expect((await ask('apart', { mode: 'lexical' })).legs?.dense).toBeUndefined();
});

test('conditions that are not met are named; those that are met are not', async () => {
  expect(await ask('best', { filters: { lang: 'ja' } })).toEqual({ reason: 'filtered', conditions: ['lang'] });
  expect((await ask('best', { filters: { lang: 'en' }, topK: 5 })).reason).toBe('found');
  expect((await ask('best', { filters: { lang: 'en', year: 2024 } })).conditions).toEqual(['year']);
});

test('a tier that is kept out, and a version that is not indexed, are told', async () => {
  const trust = { field: 'tier', factors: { spam: 0 } };
  expect(await ask('spam', {}, { trust })).toEqual({ reason: 'distrusted' });
  expect(await ask('waiting')).toEqual({ reason: 'not_ready', state: 'failed', failure: 'no text layer' });
});

test('what a caller may not see is told like what does not exist', async () => {
  const unknown = await ask('nobody', { principal: member });
  expect(unknown).toEqual({ reason: 'not_in_collection' });
  expect(await ask('secret', { principal: member })).toEqual(unknown);
  expect(await ask('secret', { principal: member, filters: { lang: 'ja' } })).toEqual(unknown);
  expect((await ask('secret', { principal: { ...member, groups: ['board'] }, topK: 10 })).reason).toBe('found');
  expect((await ask('secret', { topK: 10 })).reason).toBe('found');
});

test('a reranker that put others before it is named', async () => {
  const reranker: Reranker = {
    kind: 'cross-encoder',
    depth: 5,
    rerank: async ({ candidates }) => ({ scores: candidates.map((_, i) => i / 9), raw: candidates.map((_, i) => i) }),
  };
  expect(await ask('spam', {}, { reranker })).toMatchObject({
    reason: 'reranked_out',
    explain: { rerank: { rankBefore: 1, rankAfter: 5 } },
  });
});
