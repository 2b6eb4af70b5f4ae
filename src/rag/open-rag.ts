import type { CacheAdmin } from '../gateway/cache/cache-admin.ts';
import type { ModelCall, ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChunkIndex } from '../ports/chunk-index.ts';
import type { CacheStore } from '../ports/cache-store.ts';
import type { Database } from '../ports/database.ts';
import { createTokenMatch } from '../nlp/embed/token-match.ts';
import type { StaticTextEncoder, TextAnalyser, TokenTable } from '../ports/text-analyser.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { RequestId } from '../spec/ids.ts';
import { createAnswerAgain } from './answer/cache/answer-again.ts';
import { createKeptAnswers } from './answer/cache/kept-answers.ts';
import type { CountTokens } from './answer/pack-passages.ts';
import { createAmendDocuments, type AmendDocuments } from './amend-documents.ts';
import { createAnswerAsChat, type AnswerAsChat } from './answer-as-chat.ts';
import { createAnswerQuestion, type AnswerQuestion, type AnswerQuestionDeps } from './answer-question.ts';
import { createCollections, type Collections } from './collections.ts';
import { createDocuments, type Documents, type Place } from './documents.ts';
import { createEraser, type Eraser } from './eraser.ts';
import { createForgetAnswers } from './forget-answers.ts';
import { createForgetCollection } from './forget-collection.ts';
import { createIngest, type Ingest } from './ingest/ingest-documents.ts';
import { createIngestFiles, type IngestFiles } from './ingest/ingest-files.ts';
import { createParseFile, type ParseFile } from './ingest/parse/parse-file.ts';
import { createParsePool } from './ingest/parse/parse-pool.ts';
import { createInTurn } from './ingest/serial.ts';
import type { TextThreads } from './ingest/text-threads.ts';
import { createManageCollections, type ManageCollections, type ManageCollectionsDeps } from './manage-collections.ts';
import { createEmbedQuery } from './retrieve/embed-query.ts';
import { createRerankers } from './retrieve/rerank/rerankers.ts';
import { createRetrieve, type Retrieve, type RetrieveDeps } from './retrieve/retrieve.ts';
import { createWhyNot, type ExplainAbsence } from './retrieve/why-not.ts';
import { createIndexVersions } from './versions/index-versions.ts';
import { createVersions, type BeforeSwap, type Versions } from './versions/versions.ts';

export interface RagDeps {
  database: Database;
  index: ChunkIndex;
  gateway: ModelGateway;
  cache: CacheAdmin;
  /** Answers to questions are kept beside those of models. */
  keepAnswers: { memoryBytes: number; shared?: CacheStore };
  analyser: TextAnalyser;
  encoder: StaticTextEncoder & TokenTable;
  /** Where bulk is cut and tokenised; on the event loop where there is none. */
  threads?: Pick<TextThreads, 'prepare'>;
  clock: Clock;
  /** Model for new collections, and what identifies each embedding model for good. */
  embeddingRoute: string;
  fingerprintOf: (embeddingRoute: string) => string;
  /** The model that writes answers. */
  answerRoute: string;
  /** Whether a chat call may use the collection that its route names; throws where it may not. */
  mayUse: (call: ModelCall) => void;
  countTokens: CountTokens;
  canaryOf: AnswerQuestionDeps['canaryOf'];
  onAnswered: AnswerQuestionDeps['onAnswered'];
  onDocumentFailed: (requestId: RequestId, error: SekishoError) => void;
  /** Kept answers that used changed documents could not be forgotten everywhere. */
  onNotForgotten: (error: unknown) => void;
  /** What keeps an index from being built, or deleted bytes from being erased. */
  onTrouble?: (error: unknown, where: object) => void;
  beforeSwap?: BeforeSwap;
  renaming?: ManageCollectionsDeps['renaming'];
}

export interface Rag {
  collections: Collections;
  documents: Documents;
  versions: Versions;
  manage: ManageCollections;
  eraser: Eraser;
  /** Renews indexes that the software makes otherwise now, goes on with what was begun, erases what was deleted. */
  renew(signal: AbortSignal): Promise<void>;
  /** Ends what goes on by itself; the next process goes on with it. */
  close(): Promise<void>;
  ingest: Ingest;
  ingestFiles: IngestFiles;
  amendments: AmendDocuments;
  parseFile: ParseFile;
  retrieve: Retrieve;
  whyNot: ExplainAbsence;
  answerQuestion: AnswerQuestion;
  answerAsChat: AnswerAsChat;
  /** The caches that were given, and the one of answers to questions. */
  cache: CacheAdmin;
}

/** Puts the rooms of documents and answers together. */
export function openRag(deps: RagDeps): Rag {
  const { database, index, gateway, analyser, encoder, clock } = deps;
  const collections = createCollections({ database, clock });
  const documents = createDocuments({ database, clock });
  const kept = createKeptAnswers({ ...deps.keepAnswers, clock });
  const cache = cacheWith(deps.cache, kept);
  const forget = createForgetAnswers({ cache, onProblem: deps.onNotForgotten });
  const { onTrouble } = deps;
  const writing = {
    collections,
    documents,
    index,
    analyser,
    gateway,
    countTokens: (text: string) => encoder.countTokens(text),
    ...(deps.threads && { threads: deps.threads }),
    inTurn: createInTurn(),
    embeddingRoute: deps.embeddingRoute,
    fingerprintOf: deps.fingerprintOf,
    onDocumentsChanged: createForgetCollection({ collections, forget }),
    onFailed: deps.onDocumentFailed,
    ...(onTrouble && { onProblem: (place: Place, error: unknown) => onTrouble(error, place) }),
  };
  const eraser = createEraser({
    database,
    index,
    documents,
    clock,
    ...(onTrouble && { onProblem: (error: unknown) => onTrouble(error, {}) }),
  });
  const versions = createVersions({
    ...writing,
    versions: createIndexVersions({ database, clock }),
    ...(deps.beforeSwap && { beforeSwap: deps.beforeSwap }),
  });
  const ingest = createIngest({ ...writing, upgrade: versions.upgrade, onDeleting: eraser.note });
  const manage = createManageCollections({
    ...writing,
    ingest,
    versions,
    ...(deps.renaming && { renaming: deps.renaming }),
  });
  const amendments = createAmendDocuments({ ...writing, database, clock });
  const searching: RetrieveDeps = {
    index,
    analyser,
    embedQuery: createEmbedQuery({ gateway }),
    collections,
    documents,
    rerankers: createRerankers({ analyser, encoder, matchTokens: createTokenMatch(encoder), gateway }),
    clock,
  };
  const retrieve = createRetrieve(searching);
  const whyNot = createWhyNot({ ...searching, documents, retrieve });
  const { answerRoute, onAnswered } = deps;
  const answerQuestion = createAnswerAgain({
    answerQuestion: createAnswerQuestion({
      gateway,
      retrieve,
      collections,
      analyser,
      encoder,
      clock,
      answerRoute,
      countTokens: deps.countTokens,
      canaryOf: deps.canaryOf,
      onAnswered,
    }),
    kept,
    collections,
    documents,
    gateway,
    answerRoute,
    clock,
    onAnswered,
  });
  const answerAsChat = createAnswerAsChat({ answerQuestion, mayUse: deps.mayUse });
  const parseFile = createParseFile(createParsePool());
  const ingestFiles = createIngestFiles({ ingest, documents, parseFile });
  return {
    collections,
    documents,
    versions,
    manage,
    eraser,
    renew: async (signal) => {
      await versions.resume(signal);
      // What waited for an index that is made as it would be.
      if (!signal.aborted) await ingest.resume(signal);
      if (!signal.aborted) await eraser.run();
    },
    close: async () => {
      await Promise.all([versions.stop(), manage.stop()]);
      await eraser.stop();
    },
    ingest: {
      ...ingest,
      resume: async (signal) => {
        const told = await ingest.resume(signal);
        await amendments.resume(signal);
        return told;
      },
    },
    amendments,
    ingestFiles,
    parseFile,
    retrieve,
    whyNot,
    answerQuestion,
    answerAsChat,
    cache,
  };
}

/** Caches of a tenant, forgotten together. */
function cacheWith(cache: CacheAdmin, kept: Pick<CacheAdmin, 'invalidate'>): CacheAdmin {
  return {
    stats: cache.stats,
    invalidate: async (tenantId, selection) => {
      // Both forget, whatever becomes of the other.
      const removed = await Promise.allSettled([
        cache.invalidate(tenantId, selection),
        kept.invalidate(tenantId, selection),
      ]);
      let count = 0;
      for (const each of removed) {
        if (each.status === 'rejected') throw each.reason;
        count += each.value;
      }
      return count;
    },
  };
}
