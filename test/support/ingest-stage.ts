import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmbedCall } from '../../src/gateway/model-call.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { migrate } from '../../src/migrate.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { ChunkIndex, IndexHit, IndexRef } from '../../src/ports/chunk-index.ts';
import type { Database } from '../../src/ports/database.ts';
import { createCollections, indexRefOf } from '../../src/rag/collections.ts';
import { createDocuments, type Place } from '../../src/rag/documents.ts';
import type { OnDocumentsChanged } from '../../src/rag/forget-answers.ts';
import type { NewDocument } from '../../src/rag/ingest/accept-document.ts';
import { createIngest, type IngestOutcome } from '../../src/rag/ingest/ingest-documents.ts';
import { createInTurn } from '../../src/rag/ingest/serial.ts';
import { ragMigrations } from '../../src/rag/schema.ts';
import { createIndexVersions } from '../../src/rag/versions/index-versions.ts';
import { createVersions, type BeforeSwap } from '../../src/rag/versions/versions.ts';
import { DEFAULT_TENANT, newId } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { noUsage } from '../../src/spec/usage.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';

export const PLACE: Place = { tenantId: DEFAULT_TENANT, collection: 'gate' };
export const REF: IndexRef = { tenantId: DEFAULT_TENANT, collection: 'gate', version: 1 };
export const PRINCIPAL: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_test',
  name: 'test',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};

/** The real stores of one data folder, and what goes between them and the domain. */
export interface StageOptions {
  /** Runs before each batch of texts is embedded; what it throws is what the embedding model does. */
  beforeEmbed?: (texts: readonly string[]) => void | Promise<void>;
  wrapDatabase?: (database: Database) => Database;
  wrapIndex?: (index: ChunkIndex) => ChunkIndex;
  fingerprint?: string;
  onDocumentsChanged?: OnDocumentsChanged;
  beforeSwap?: BeforeSwap;
  /** Without it, a collection whose index was made otherwise is refused. */
  upgrades?: 'upgrades';
}

/** A folder in which one ingest after the other can work, as processes follow each other. */
export async function openStage() {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-ingest-'));
  const database = createSqliteDatabase({ path: join(folder, 'state.db') });
  await migrate(database, ragMigrations);
  const index = createLanceIndex({ folder: join(folder, 'index') });
  const analyser = createTextAnalyser();

  /** Everything that forgets when a process ends, over the stores that do not. */
  function startIngest(options: StageOptions = {}) {
    const over = {
      database: options.wrapDatabase?.(database) ?? database,
      index: options.wrapIndex?.(index) ?? index,
      clock: systemClock,
    };
    const documents = createDocuments(over);
    const collections = createCollections(over);
    const deps = {
      collections,
      documents,
      index: over.index,
      analyser,
      countTokens: (text: string) => Math.ceil(text.length / 4),
      inTurn: createInTurn(),
      embeddingRoute: 'toy',
      fingerprintOf: () => options.fingerprint ?? 'toy@1',
      onDocumentsChanged: options.onDocumentsChanged ?? (() => Promise.resolve()),
      gateway: {
        embed: async ({ request, requestId, route }: EmbedCall) => {
          await options.beforeEmbed?.(request.input);
          const vectors = request.input.map((text) => Float32Array.from([1, text.length % 7, text.length % 5, 1]));
          return {
            facts: {
              requestId,
              route,
              target: 'toy',
              wire: 'static' as const,
              attempts: 1,
              cache: 'miss' as const,
              limits: [],
              overheadMs: () => 0,
              costMicros: 0,
            },
            answer: { usage: noUsage(), result: () => ({ model: 'toy', vectors, usage: noUsage() }) },
          };
        },
      },
    };
    const versions = createVersions({
      ...deps,
      versions: createIndexVersions(over),
      ...(options.beforeSwap && { beforeSwap: options.beforeSwap }),
    });
    const ingest = createIngest({ ...deps, ...(options.upgrades && { upgrade: versions.upgrade }) });
    const send = (sent: readonly NewDocument[], signal = new AbortController().signal): Promise<IngestOutcome> =>
      ingest.index({
        principal: PRINCIPAL,
        collection: PLACE.collection,
        documents: sent,
        signal,
        requestId: newId('req'),
      });
    return { ingest, documents, collections, versions, send };
  }

  const { documents, collections } = startIngest();
  return {
    database,
    index,
    startIngest,
    /** What a question with this word finds, as `document: text of the span`. */
    find: async (word: string): Promise<string[]> => {
      const live = await collections.get(PLACE.tenantId, PLACE.collection);
      const ref = live === undefined ? REF : indexRefOf(live);
      const hits: IndexHit[] = await index.searchLexical(ref, analyser.terms(word), { limit: 100 });
      const spans = await documents.hydrate(PLACE.tenantId, PLACE.collection, hits);
      return hits
        .flatMap((hit, at) => (spans[at] === undefined ? [] : [`${hit.documentId}: ${spans[at].content}`]))
        .sort();
    },
    /** Chunks that the documents say they have, and chunks that the index has. */
    chunks: async (): Promise<[documents: number, index: number]> => {
      const [row] = await database.all<{ n: number }>('SELECT COALESCE(SUM(chunks), 0) AS n FROM documents');
      return [Number(row?.n), await index.count(REF)];
    },
    close: async (): Promise<void> => {
      await index.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;
