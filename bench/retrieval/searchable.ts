import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import type { StaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { ChunkIndex, ChunkRow, IndexRef } from '../../src/ports/chunk-index.ts';
import type { TextAnalyser } from '../../src/ports/text-analyser.ts';
import { createRetrieve } from '../../src/rag/retrieve/retrieve.ts';
import type { RetrieveResult } from '../../src/rag/retrieve/retrieve.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
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

/** A corpus in the real store, searched by the real retrieval. */
export interface Searchable {
  index: ChunkIndex;
  ref: IndexRef;
  analyser: TextAnalyser;
  encoder: StaticEncoder;
  indexMs: number;
  /** Retrieval with a dense weight; undefined means the product's own. */
  retrieval(denseWeight?: number): (query: string, topK: number) => Promise<RetrieveResult>;
  close(): Promise<void>;
}

/** Indexes the corpus into a temporary folder, one chunk per row, and optimises it. */
export async function makeSearchable(name: string, corpus: Iterable<CorpusRow>): Promise<Searchable> {
  const folder = await mkdtemp(join(tmpdir(), 'sekisho-bench-'));
  const index = createLanceIndex({ folder, log: (message, details) => console.error(message, details) });
  const analyser = createTextAnalyser();
  const encoder = createStaticEncoder(await Bun.file(MODEL).bytes());
  const ref: IndexRef = { tenantId: DEFAULT_TENANT, collection: name, version: 1 };
  const startedMs = performance.now();
  let batch: ChunkRow[] = [];
  const write = async (): Promise<void> => {
    await index.replace(ref, batch.map((row) => row.documentId), batch, true);
    batch = [];
  };
  for (const row of corpus) {
    batch.push(chunkOf(row, analyser, encoder));
    if (batch.length === BATCH) await write();
  }
  await write();
  await index.optimise(ref);
  const indexMs = performance.now() - startedMs;
  const signal = new AbortController().signal;

  return {
    index,
    ref,
    analyser,
    encoder,
    indexMs,
    retrieval(denseWeight) {
      const retrieve = createRetrieve({
        index,
        analyser,
        clock: systemClock,
        embedQuery: async ({ text }) => encoder.encode(text),
        collections: {
          get: async () => ({ name, version: 1, embeddingRoute: 'static', denseWeight: denseWeight ?? null }),
        },
        documents: { hydrate: async (_, __, spans) => spans.map(() => ({ title: '', content: '', metadata: {} })) },
      });
      return (query, topK) =>
        retrieve({ principal: PRINCIPAL, collection: name, query, topK, signal, requestId: 'req_bench' });
    },
    async close() {
      await index.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A row as the product indexes it: title and text together, on both legs. */
export function chunkOf(row: CorpusRow, analyser: TextAnalyser, encoder: StaticEncoder): ChunkRow {
  const whole = row.title === '' ? row.text : `${row.title}\n${row.text}`;
  return {
    chunkId: `${row.id}#0`,
    documentId: row.id,
    ordinal: 0,
    start: 0,
    end: row.text.length,
    headingPath: row.title === '' ? [] : [row.title],
    terms: analyser.terms(whole).join(' '),
    vector: encoder.encode(whole),
    tags: [],
  };
}
