import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmbedCall, EmbedOutcome } from '../../src/gateway/model-call.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { migrate } from '../../src/migrate.ts';
import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import type { StaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTokenMatch } from '../../src/nlp/embed/token-match.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { ChunkIndex, IndexRef } from '../../src/ports/chunk-index.ts';
import { createCollections } from '../../src/rag/collections.ts';
import { createDocuments } from '../../src/rag/documents.ts';
import { createIngest } from '../../src/rag/ingest/ingest-documents.ts';
import { createEmbedQuery } from '../../src/rag/retrieve/embed-query.ts';
import { createRerankers } from '../../src/rag/retrieve/rerank/rerankers.ts';
import { createRetrieve } from '../../src/rag/retrieve/retrieve.ts';
import type { RetrieveRequest, RetrieveResult } from '../../src/rag/retrieve/retrieve.ts';
import { ragMigrations } from '../../src/rag/schema.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { noUsage } from '../../src/spec/usage.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import type { CorpusRow } from './sets.ts';

const BATCH = 2000;
const MODEL = join(import.meta.dir, '../../models/static-en-ja/model.bin');

const PRINCIPAL: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_bench',
  name: 'bench',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};

export type TriedRequest = Pick<RetrieveRequest, 'mode' | 'rerank' | 'settings'>;

/** A corpus as the product keeps it: real ingest, real stores, real retrieval; only the gateway is cut short. */
export interface Searchable {
  index: ChunkIndex;
  ref: IndexRef;
  encoder: StaticEncoder;
  chunks: number;
  indexMs: number;
  add(rows: readonly CorpusRow[]): Promise<void>;
  /** Retrieval as the product does it where nothing is chosen, or with a part of the request that is tried. */
  retrieval(tried?: TriedRequest): (query: string, topK: number) => Promise<RetrieveResult>;
  close(): Promise<void>;
}

/** Indexes the corpus into a temporary folder, each row a document, and optimises it. */
export async function makeSearchable(name: string, corpus: Iterable<CorpusRow>): Promise<Searchable> {
  const folder = await mkdtemp(join(tmpdir(), 'sekisho-bench-'));
  const database = createSqliteDatabase({ path: join(folder, 'state.sqlite') });
  await migrate(database, ragMigrations);
  const index = createLanceIndex({
    folder: join(folder, 'index'),
    log: (message, details) => console.error(message, details),
  });
  const clock = systemClock;
  const analyser = createTextAnalyser();
  const encoder = createStaticEncoder(await Bun.file(MODEL).bytes());
  const collections = createCollections({ database, clock });
  const documents = createDocuments({ database, clock });
  const gateway = {
    embed: async (call: EmbedCall): Promise<EmbedOutcome> => embedded(call, encoder),
    rerank: () => Promise.reject(new Error('the bench reranks without a model')),
  };
  const ingest = createIngest({
    collections,
    documents,
    index,
    analyser,
    gateway,
    countTokens: (text) => encoder.countTokens(text),
    embeddingRoute: 'static',
    fingerprintOf: () => encoder.fingerprint,
    onDocumentsChanged: () => Promise.resolve(),
  });
  const signal = new AbortController().signal;
  const add = async (rows: readonly CorpusRow[]): Promise<number> => {
    const outcome = await ingest.index({
      principal: PRINCIPAL,
      collection: name,
      documents: rows.map(({ id, title, text }) => ({ id, title, content: text, headings: [] })),
      signal,
      requestId: 'req_bench',
    });
    if (outcome.failed.length > 0) throw new Error(JSON.stringify(outcome.failed.slice(0, 3)));
    return outcome.chunks;
  };

  const startedMs = performance.now();
  const ref: IndexRef = { tenantId: DEFAULT_TENANT, collection: name, version: 1 };
  let chunks = 0;
  let batch: CorpusRow[] = [];
  for (const row of corpus) {
    if (batch.push(row) < BATCH) continue;
    chunks += await add(batch);
    batch = [];
  }
  if (batch.length > 0) chunks += await add(batch);
  await index.optimise(ref);
  const indexMs = performance.now() - startedMs;

  return {
    index,
    ref,
    encoder,
    chunks,
    indexMs,
    async add(rows) {
      await add(rows);
    },
    retrieval(tried = {}) {
      const embedQuery = createEmbedQuery({ gateway });
      const rerankers = createRerankers({ analyser, encoder, matchTokens: createTokenMatch(encoder), gateway });
      const retrieve = createRetrieve({ index, analyser, clock, embedQuery, collections, documents, rerankers });
      return (query, topK) =>
        retrieve({ ...tried, principal: PRINCIPAL, collection: name, query, topK, signal, requestId: 'req_bench' });
    },
    async close() {
      await index.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function embedded({ request, requestId, route }: EmbedCall, encoder: StaticEncoder): EmbedOutcome {
  const result = { model: encoder.id, vectors: request.input.map((text) => encoder.encode(text)), usage: noUsage() };
  return {
    facts: {
      requestId,
      route,
      target: 'bench',
      wire: 'static',
      attempts: 1,
      cache: 'miss',
      limits: [],
      overheadMs: () => 0,
      costMicros: 0,
    },
    answer: { usage: result.usage, result: () => result },
  };
}
