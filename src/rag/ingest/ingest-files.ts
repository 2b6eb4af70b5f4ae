import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import { acceptDocument, type NewDocument } from './accept-document.ts';
import type { Ingest, IngestOutcome, IngestRequest } from './ingest-documents.ts';
import { parseFile, type FileToParse } from './parse/parse-file.ts';

/** A file to be indexed; its name, slashes included, becomes the id of its document. */
export type FilesRequest = Omit<IngestRequest, 'documents'> & { files: readonly FileToParse[] };

/**
 * Parses files and indexes what they hold. A file that cannot be read, or a document in it that cannot be
 * accepted, fails alone, with its reason.
 */
export async function ingestFiles(ingest: Pick<Ingest, 'index'>, request: FilesRequest): Promise<IngestOutcome> {
  const { files, ...rest } = request;
  const documents = new Map<string, NewDocument>();
  const failed: IngestOutcome['failed'] = [];
  /** Does the work or notes why it cannot be done. */
  const orFail = async (id: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      const error = toSekishoError(thrown);
      if (error.fault === 'us') throw error;
      failed.push({ id, reason: error.message });
    }
  };

  for (const file of files) {
    if (request.signal.aborted) throw new SekishoError('caller_left', { cause: request.signal.reason });
    await orFail(file.name, async () => {
      for (const document of await documentsOf(file)) {
        const id = document.id ?? file.name;
        await orFail(id, () => {
          if (documents.has(id)) throw unreadable(id, 'another file or record of this upload has the same name');
          acceptDocument(document);
          documents.set(id, document);
        });
      }
    });
  }
  if (documents.size === 0) return { indexed: 0, unchanged: 0, failed, chunks: 0 };
  const outcome = await ingest.index({ ...rest, documents: [...documents.values()] });
  return { ...outcome, failed: [...failed, ...outcome.failed] };
}

/** What a file holds; records without text are left out. */
async function documentsOf(file: FileToParse): Promise<NewDocument[]> {
  const parsed = await parseFile(file);
  return parsed.flatMap(({ id, text, title, headings, metadata }, place) =>
    text.trim() === ''
      ? []
      : {
          id: parsed.length === 1 ? file.name : `${file.name}#${id ?? place + 1}`,
          title: title ?? nameOf(file.name),
          content: text,
          headings,
          metadata: { ...metadata, file: file.name },
        },
  );
}

function unreadable(document: string, problem: string): SekishoError {
  return new SekishoError('unreadable_document', { values: { document: document.slice(0, 200), problem } });
}

/** A file's name without folders and extension, for documents that have no title of their own. */
function nameOf(name: string): string {
  return (name.split('/').at(-1) ?? name).replace(/\.[A-Za-z0-9]+$/, '');
}
