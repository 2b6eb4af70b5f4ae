import { toSekishoError } from '../../spec/errors.ts';
import type { Ingest, IngestOutcome, IngestRequest, NewDocument } from './ingest-documents.ts';
import { parseFile, type FileToParse } from './parse/parse-file.ts';

/** A file to be indexed; its name, slashes included, becomes the id of its document. */
export type FilesRequest = Omit<IngestRequest, 'documents'> & { files: readonly FileToParse[] };

/** Parses files and indexes what they hold. A file that cannot be read fails alone, with its reason. */
export async function ingestFiles(ingest: Pick<Ingest, 'index'>, request: FilesRequest): Promise<IngestOutcome> {
  const { files, ...rest } = request;
  const documents: NewDocument[] = [];
  const failed: IngestOutcome['failed'] = [];
  for (const file of files) {
    try {
      const parsed = await parseFile(file);
      for (const { id, text, title, headings, metadata } of parsed) {
        if (text.trim() === '') continue;
        documents.push({
          id: parsed.length === 1 ? file.name : `${file.name}#${id ?? documents.length}`,
          title: title ?? nameOf(file.name),
          content: text,
          headings,
          metadata: { ...metadata, file: file.name },
        });
      }
    } catch (thrown) {
      const error = toSekishoError(thrown);
      if (error.fault === 'us') throw error;
      failed.push({ id: file.name, reason: error.message });
    }
  }
  if (documents.length === 0) return { indexed: 0, unchanged: 0, failed, chunks: 0 };
  const outcome = await ingest.index({ ...rest, documents });
  return { ...outcome, failed: [...failed, ...outcome.failed] };
}

/** A file's name without folders and extension, for documents that have no title of their own. */
function nameOf(name: string): string {
  return (name.split('/').at(-1) ?? name).replace(/\.[A-Za-z0-9]+$/, '');
}
