import type { DocumentAccess } from '../../spec/document-access.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { Documents, Place } from '../documents.ts';
import { acceptDocument, type NewDocument } from './accept-document.ts';
import type { Ingest, IngestOutcome, IngestRequest } from './ingest-documents.ts';
import { mayHoldMany } from './parse/file-format.ts';
import type { FileToParse, ParseFile, ParsedFile } from './parse/parse-file.ts';
import { createPause } from './pause.ts';
import { readAhead } from './read-ahead.ts';

/** A file to be indexed; its name, slashes included, becomes the id of its document. */
export type FilesRequest = Omit<IngestRequest, 'documents'> & {
  files: readonly FileToParse[];
  /** Of every document in them; see NewDocument. */
  access?: DocumentAccess | null;
};

export interface IngestFilesDeps {
  ingest: Pick<Ingest, 'index' | 'remove'>;
  documents: Pick<Documents, 'get' | 'list'>;
  parseFile: ParseFile;
}

/**
 * Parses files and indexes what they hold, in order. A file that cannot be read, a file inside an archive or mail, or
 * a document that cannot be accepted fails alone, with its reason. Where a file holds many documents, those that an
 * earlier file of the same name held and this one does not are deleted once the new ones are in.
 */
export type IngestFiles = (request: FilesRequest) => Promise<IngestOutcome>;

/** Files of one upload that are read at once. */
const FILES_AT_ONCE = 2;
const PAGE = 1_000;

/** What has been made of one file. */
interface FileSet {
  name: string;
  ids: Set<DocumentId>;
  /** Ids of what could not be read this time: documents of these stay as they are. */
  unread: DocumentId[];
}

export function createIngestFiles({ ingest, documents, parseFile }: IngestFilesDeps): IngestFiles {
  /** Ids that an earlier file of this name left and that are not in it any more. */
  async function leftOver(place: Place, { name, ids, unread }: FileSet): Promise<DocumentId[]> {
    const isOld = (id: DocumentId): boolean =>
      !ids.has(id) && !unread.some((kept) => id === kept || id.startsWith(`${kept}#`) || id.startsWith(`${kept}/`));
    const found: DocumentId[] = [];
    const alone = ids.has(name) ? undefined : await documents.get(place, name);
    if (alone !== undefined && alone.metadata['file'] === name && isOld(name)) found.push(name);
    for (const prefix of [`${name}#`, `${name}/`]) {
      for (let after: DocumentId | undefined = prefix; after !== undefined;) {
        const page = await documents.list(place, { after, limit: PAGE });
        const below = page.filter(({ id }) => id.startsWith(prefix));
        for (const { id, metadata } of below) if (metadata['file'] === name && isOld(id)) found.push(id);
        after = below.length === PAGE ? below.at(-1)?.id : undefined;
      }
    }
    return found;
  }

  return async (request) => {
    const { files, access, ...rest } = request;
    const place: Place = { tenantId: request.principal.tenantId, collection: request.collection };
    const accepted = new Map<DocumentId, NewDocument>();
    const failed: IngestOutcome['failed'] = [];
    const sets: FileSet[] = [];
    const pause = createPause();
    const fail = (id: DocumentId, thrown: unknown): void => {
      const error = toSekishoError(thrown);
      if (error.fault === 'us') throw error;
      failed.push({ id, reason: error.message });
    };

    for await (const { item: file, outcome } of readAhead(files, parseFile, FILES_AT_ONCE)) {
      if (request.signal.aborted) throw new SekishoError('caller_left', { cause: request.signal.reason });
      if ('thrown' in outcome) {
        fail(file.name, outcome.thrown);
        continue;
      }
      const set: FileSet = { name: file.name, ids: new Set(), unread: [] };
      for (const { path, problem } of outcome.value.failed) {
        set.unread.push(`${file.name}${path}`);
        fail(`${file.name}${path}`, unreadable(`${file.name}${path}`, problem));
      }
      for (const document of documentsOf(file.name, outcome.value)) {
        await pause(document.content.length);
        try {
          if (accepted.has(document.id)) {
            throw unreadable(document.id, 'another file or record of this upload has the same name');
          }
          acceptDocument(document);
          accepted.set(document.id, document);
          set.ids.add(document.id);
        } catch (thrown) {
          set.unread.push(document.id);
          fail(document.id, thrown);
        }
      }
      if (mayHoldMany(file.name)) sets.push(set);
    }
    if (accepted.size === 0) return { indexed: 0, unchanged: 0, failed, chunks: 0 };

    const found = [...accepted.values()];
    const documentsFound = access === undefined ? found : found.map((document) => ({ ...document, access }));
    const outcome = await ingest.index({ ...rest, documents: documentsFound });
    const notIn = new Set(outcome.failed.map(({ id }) => id));
    for (const set of sets) {
      // Where a part of the new is not in, all of the old stays; the next upload tries again.
      if (set.ids.size === 0 || [...set.ids].some((id) => notIn.has(id))) continue;
      const old = await leftOver(place, set);
      if (old.length > 0) await ingest.remove(place, old);
    }
    return { ...outcome, failed: [...failed, ...outcome.failed] };
  };
}

/** What a file holds, with ids; records without text are left out. */
function documentsOf(fileName: string, { documents }: ParsedFile): (NewDocument & { id: DocumentId })[] {
  const ofPath = new Map<string, number>();
  for (const { path } of documents) ofPath.set(path, (ofPath.get(path) ?? 0) + 1);
  const placeIn = new Map<string, number>();
  return documents.flatMap(({ path, id, text, title, headings, metadata, pages }) => {
    const place = (placeIn.get(path) ?? 0) + 1;
    placeIn.set(path, place);
    const name = `${fileName}${path}`;
    if (text.trim() === '') return [];
    return {
      id: ofPath.get(path) === 1 ? name : `${name}#${id ?? place}`,
      title: title ?? nameOf(name),
      content: text,
      headings,
      metadata: { ...metadata, file: fileName },
      ...(pages !== undefined && { pages }),
    };
  });
}

function unreadable(document: string, problem: string): SekishoError {
  return new SekishoError('unreadable_document', { values: { document: document.slice(0, 200), problem } });
}

/** A file's name without folders and extension, for documents that have no title of their own. */
function nameOf(name: string): string {
  return (name.split(/[/#]/).at(-1) ?? name).replace(/\.[A-Za-z0-9]+$/, '');
}
