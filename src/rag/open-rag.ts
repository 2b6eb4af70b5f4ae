import type { CacheAdmin } from '../gateway/cache/cache-admin.ts';
import type { ModelCall, ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChunkIndex } from '../ports/chunk-index.ts';
import type { Database } from '../ports/database.ts';
import type { StaticTextEncoder, TextAnalyser } from '../ports/text-analyser.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { RequestId } from '../spec/ids.ts';
import { createAnswerAsChat, type AnswerAsChat } from './answer-as-chat.ts';
import { createAnswerQuestion, type AnswerQuestion, type AnswerQuestionDeps } from './answer-question.ts';
import { createCollections, type Collections } from './collections.ts';
import { createDocuments, type Documents } from './documents.ts';
import { createForgetAnswers } from './forget-answers.ts';
import { createIngest, type Ingest } from './ingest/ingest-documents.ts';
import { createIngestFiles, type IngestFiles } from './ingest/ingest-files.ts';
import { createParseFile } from './ingest/parse/parse-file.ts';
import { createParsePool } from './ingest/parse/parse-pool.ts';
import type { TextThreads } from './ingest/text-threads.ts';
import { createEmbedQuery } from './retrieve/embed-query.ts';
import { createRetrieve, type Retrieve } from './retrieve/retrieve.ts';

export interface RagDeps {
  database: Database;
  index: ChunkIndex;
  gateway: Pick<ModelGateway, 'chat' | 'embed' | 'rerank'>;
  cache: Pick<CacheAdmin, 'invalidate'>;
  analyser: TextAnalyser;
  encoder: StaticTextEncoder;
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
  onAnswered: AnswerQuestionDeps['onAnswered'];
  onDocumentFailed: (requestId: RequestId, error: SekishoError) => void;
  /** Kept answers that used changed documents could not be forgotten everywhere. */
  onNotForgotten: (error: unknown) => void;
}

export interface Rag {
  collections: Collections;
  documents: Documents;
  ingest: Ingest;
  ingestFiles: IngestFiles;
  retrieve: Retrieve;
  answerQuestion: AnswerQuestion;
  answerAsChat: AnswerAsChat;
}

/** Puts the rooms of documents and answers together. */
export function openRag(deps: RagDeps): Rag {
  const { database, index, gateway, analyser, encoder, clock } = deps;
  const collections = createCollections({ database, clock });
  const documents = createDocuments({ database, clock });
  const ingest = createIngest({
    collections,
    documents,
    index,
    analyser,
    gateway,
    countTokens: (text) => encoder.countTokens(text),
    ...(deps.threads && { threads: deps.threads }),
    embeddingRoute: deps.embeddingRoute,
    fingerprintOf: deps.fingerprintOf,
    onDocumentsChanged: createForgetAnswers({ cache: deps.cache, onProblem: deps.onNotForgotten }),
    onFailed: deps.onDocumentFailed,
  });
  const retrieve = createRetrieve({
    index,
    analyser,
    embedQuery: createEmbedQuery({ gateway }),
    collections,
    documents,
    clock,
  });
  const answerQuestion = createAnswerQuestion({
    gateway,
    retrieve,
    analyser,
    encoder,
    clock,
    answerRoute: deps.answerRoute,
    onAnswered: deps.onAnswered,
  });
  const answerAsChat = createAnswerAsChat({ answerQuestion, mayUse: deps.mayUse });
  const ingestFiles = createIngestFiles({ ingest, documents, parseFile: createParseFile(createParsePool()) });
  return { collections, documents, ingest, ingestFiles, retrieve, answerQuestion, answerAsChat };
}
