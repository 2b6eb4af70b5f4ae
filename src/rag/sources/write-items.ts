import { createHash } from 'node:crypto';
import type { DocumentAccess } from '../../spec/document-access.ts';
import type { DocumentId, RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import type { NewDocument } from '../ingest/accept-document.ts';
import type { Ingest } from '../ingest/ingest-documents.ts';
import { createIngestFiles } from '../ingest/ingest-files.ts';
import { extensionOf } from '../ingest/parse/file-format.ts';
import type { ParseFile } from '../ingest/parse/parse-file.ts';
import type { FetchedItem } from './connectors/connector.ts';
import type { Source } from './source.ts';

/** An item whose content is to be in the collection. */
export interface ItemToWrite {
  key: string;
  item: FetchedItem;
  /** It was written when the source was open to others than now. */
  isReshaped?: boolean;
}

export interface WrittenItem {
  key: string;
  documents: DocumentId[];
  /** Why it is not, or not wholly, in the collection. */
  reason: string | undefined;
}

export interface WriteItems {
  source: Pick<Source, 'id' | 'collection' | 'access'>;
  principal: Principal;
  requestId: RequestId;
  signal: AbortSignal;
  items: readonly ItemToWrite[];
  /** Told which documents will be written, before the first is. */
  onBegin: (items: readonly { key: string; documents: readonly DocumentId[] }[]) => Promise<void>;
}

/** Longer keys end in their hash, so that ids stay within what a document's id may be. */
const MAX_KEY_IN_ID = 400;

/** The id under which the one document of an item is found; of several, the beginning of their ids. */
export function documentIdOf(source: Pick<Source, 'id'>, key: string): DocumentId {
  const short =
    key.length <= MAX_KEY_IN_ID
      ? key
      : `${key.slice(0, MAX_KEY_IN_ID)}~${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;
  return `${source.id}/${short}`;
}

/**
 * Reads items and indexes what they hold, by the way of every other file. Documents are named after source and key
 * and carry where they come from. Keys must differ.
 * @throws SekishoError where a store fails; what was begun is then begun again by the next run.
 */
export async function writeItems(
  deps: { ingest: Pick<Ingest, 'index'>; parseFile: ParseFile },
  work: WriteItems,
): Promise<WrittenItem[]> {
  const { source } = work;
  // The name tells the format; a number before it keeps equal names apart.
  const named = work.items.map((each, place) => ({ ...each, name: `${place}/${nameOf(each.item)}` }));
  const written = new Map<string, WrittenItem>(
    named.map(({ key }) => [key, { key, documents: [], reason: undefined }]),
  );
  const keyOfDocument = new Map<DocumentId, string>();
  const keyOf = (id: string): string | undefined =>
    keyOfDocument.get(id) ?? named[Number.parseInt(id.slice(0, id.indexOf('/')), 10)]?.key;

  const ingestFiles = createIngestFiles({
    parseFile: deps.parseFile,
    // What an item held before is known from what was noted of it.
    documents: { get: () => Promise.resolve(undefined), list: () => Promise.resolve([]) },
    ingest: {
      remove: () => Promise.resolve(),
      index: async (request) => {
        const documents = request.documents.map((document): NewDocument => {
          const from = named[Number.parseInt(document.id ?? '', 10)];
          if (from === undefined) return document;
          const id = `${documentIdOf(source, from.key)}${(document.id ?? '').slice(from.name.length)}`;
          keyOfDocument.set(id, from.key);
          written.get(from.key)?.documents.push(id);
          return {
            ...document,
            id,
            metadata: { ...document.metadata, ...originOf(source, from) },
            ...opened(source, from),
          };
        });
        await work.onBegin([...written.values()].filter((each) => each.documents.length > 0));
        return deps.ingest.index({ ...request, documents });
      },
    },
  });
  const outcome = await ingestFiles({
    principal: work.principal,
    collection: source.collection,
    signal: work.signal,
    requestId: work.requestId,
    files: named.map(({ name, item }) => ({ name, bytes: item.bytes })),
  });
  for (const { id, reason } of outcome.failed) {
    const item = written.get(keyOf(id) ?? '');
    if (item !== undefined) item.reason ??= reason.replace(/"\d+\/([^"]*)"/, '"$1"').slice(0, 1_000);
  }
  return [...written.values()];
}

/** What of a source shapes its documents beside their content: where it changes, they are written again. */
export function shapeOf(source: Pick<Source, 'access'>): string {
  return createHash('sha256').update(JSON.stringify(source.access)).digest('hex').slice(0, 8);
}

function nameOf({ name }: FetchedItem): string {
  const extension = extensionOf(name);
  const last = (name.split('/').at(-1) ?? name).slice(-200);
  return extensionOf(last) === extension ? last : `${last}.${extension}`;
}

function originOf(source: Pick<Source, 'id'>, { key, item }: ItemToWrite) {
  return {
    source: source.id,
    file: key,
    ...(item.url !== undefined && { url: item.url }),
    ...(item.modified !== undefined && { modified: item.modified }),
  };
}

/**
 * A source that says nothing of access leaves to a document what was said of it; only where the source itself had
 * closed it, it opens it again.
 */
function opened(
  { access }: Pick<Source, 'access'>,
  { isReshaped = false }: ItemToWrite,
): { access?: DocumentAccess | null } {
  return access === null && !isReshaped ? {} : { access };
}
