import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { ChunkerSettings } from '../../spec/collection.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import type { PendingDocument } from '../documents.ts';
import { chunkerOf } from './chunkers/chunker-of.ts';
import type { ChunkerTools } from './chunkers/chunker.ts';
import { createPause } from './pause.ts';
import { prepareDocument, type PreparedChunk } from './prepare-document.ts';
import type { TextThreads } from './text-threads.ts';

/** A document with its chunks, or with what kept it from being cut. */
export type Prepared = { document: PendingDocument } & ({ chunks: PreparedChunk[] } | { error: SekishoError });

export interface PrepareDocumentsDeps {
  analyser: Pick<TextAnalyser, 'sentences' | 'terms'>;
  countTokens: (text: string) => number;
  /** Where bulk is cut and tokenised; on the event loop where there is none. */
  threads?: Pick<TextThreads, 'prepare'>;
}

export interface PrepareRequest {
  chunker: ChunkerSettings;
  embed: ChunkerTools['embed'];
}

/** What goes to a thread together: about a tenth of a second of work. */
const GROUP = { documents: 64, characters: 200_000 };
/** Less than this, in code units, is cut sooner than a thread has started. */
const BULK_CHARACTERS = 100_000;

/**
 * Cuts documents and makes the terms of their chunks, a group of them at a time, in order. Bulk is worked off on
 * another thread, a few documents on the event loop with pauses. A document that cannot be cut fails alone.
 */
export function createPrepareDocuments(deps: PrepareDocumentsDeps) {
  const pause = createPause();

  async function here(document: PendingDocument, request: PrepareRequest): Promise<Prepared> {
    try {
      const chunks = await prepareDocument(document, {
        chunker: chunkerOf(request.chunker),
        tools: { sentences: deps.analyser.sentences, countTokens: deps.countTokens, embed: request.embed },
        terms: deps.analyser.terms,
        pause,
      });
      return { document, chunks };
    } catch (thrown) {
      return { document, error: toSekishoError(thrown) };
    }
  }

  /** On a thread; where it dies, in halves until the document that it dies of is alone. */
  async function there(
    threads: Pick<TextThreads, 'prepare'>,
    documents: readonly PendingDocument[],
    chunker: ChunkerSettings,
  ): Promise<Prepared[]> {
    try {
      const answers = await threads.prepare(documents, chunker);
      return documents.map((document, at): Prepared => {
        const answer = answers[at];
        if (answer !== undefined && 'chunks' in answer) return { document, chunks: answer.chunks };
        return { document, error: new SekishoError('internal', { cause: new Error(answer?.problem ?? 'no answer') }) };
      });
    } catch (thrown) {
      const error = toSekishoError(thrown);
      if (error.code !== 'internal' || documents.length === 1) {
        return documents.map((document) => ({ document, error }));
      }
      const middle = documents.length >> 1;
      const first = await there(threads, documents.slice(0, middle), chunker);
      return [...first, ...(await there(threads, documents.slice(middle), chunker))];
    }
  }

  return async function* (
    documents: readonly PendingDocument[],
    request: PrepareRequest,
  ): AsyncGenerator<Prepared[], void, void> {
    const characters = documents.reduce((sum, { text }) => sum + text.length, 0);
    const threads = characters < BULK_CHARACTERS || asksForVectors(request) ? undefined : deps.threads;
    if (threads === undefined) {
      // One by one: what keeps the first from being embedded may hold for all.
      for (const document of documents) yield [await here(document, request)];
      return;
    }
    for (const group of groupsOf(documents)) yield await there(threads, group, request.chunker);
  };
}

function asksForVectors({ chunker }: PrepareRequest): boolean {
  return chunkerOf(chunker).asksForVectors;
}

function* groupsOf(documents: readonly PendingDocument[]): Generator<PendingDocument[]> {
  let group: PendingDocument[] = [];
  let characters = 0;
  for (const document of documents) {
    if (group.length > 0 && characters + document.text.length > GROUP.characters) {
      yield group;
      [group, characters] = [[], 0];
    }
    group.push(document);
    characters += document.text.length;
    if (group.length < GROUP.documents) continue;
    yield group;
    [group, characters] = [[], 0];
  }
  if (group.length > 0) yield group;
}
