import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonValue } from '../lib/json.ts';
import type { NewDocument } from '../rag/ingest/accept-document.ts';
import type { Ingest, IngestOutcome, IngestRequest } from '../rag/ingest/ingest-documents.ts';
import type { IngestFiles } from '../rag/ingest/ingest-files.ts';
import { accessOf } from '../rag/stored-access.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import type { ItemOutcome, StagedItem } from './staged-items.ts';

export interface StagedWork {
  request: Omit<IngestRequest, 'documents'>;
  items: readonly StagedItem[];
  /** The items are files, not documents. */
  files: boolean;
  /** Of every document in the files; see NewDocument. */
  access?: DocumentAccess | null;
}

/** What became of the pieces; `later` names those that failed for a reason that may pass. */
export interface StagedOutcome {
  outcomes: ItemOutcome[];
  later: { ordinal: number; reason: string }[];
}

/** A document as a piece of a job. */
export function stagedDocument(document: NewDocument & { id: string }): { id: string; payload: string } {
  return { id: document.id, payload: JSON.stringify(document) };
}

/** A file as a piece of a job: bytes as text, which every database stores alike. */
export function stagedFile(file: { name: string; bytes: Uint8Array }): { id: string; payload: string } {
  return { id: file.name, payload: Buffer.from(file.bytes).toString('base64') };
}

export interface IndexStagedDeps {
  ingest: Pick<Ingest, 'index'>;
  ingestFiles: IngestFiles;
}

/** Indexes a page of pieces and tells what became of each. */
export async function indexStaged(deps: IndexStagedDeps, work: StagedWork): Promise<StagedOutcome> {
  const { request, items, files, access } = work;
  const outcome = files
    ? await deps.ingestFiles({
        ...request,
        ...(access !== undefined && { access }),
        files: items.map(({ id, payload }) => ({ name: id, bytes: new Uint8Array(Buffer.from(payload, 'base64')) })),
      })
    : await deps.ingest.index({ ...request, documents: items.map(documentOf) });
  return told(items, outcome);
}

/** Who may find a document, out of JSON that was judged before it was stored. */
export function stagedAccess(value: JsonValue): DocumentAccess | null {
  return value === null ? null : accessOf(JSON.stringify(value));
}

function documentOf({ id, payload }: StagedItem): NewDocument {
  const json = parseJson(payload);
  const stored = isJsonObject(json) ? json : {};
  const title = stringAt(stored, 'title');
  const metadata = objectAt(stored, 'metadata');
  const headings = arrayAt(stored, 'headings').filter(isJsonObject);
  return {
    id,
    content: stringAt(stored, 'content') ?? '',
    ...(title !== undefined && { title }),
    ...(metadata !== undefined && { metadata }),
    ...(stored['access'] !== undefined && { access: stagedAccess(stored['access']) }),
    ...(stored['headings'] !== undefined && {
      headings: headings.map((heading) => ({
        level: numberAt(heading, 'level') ?? 1,
        start: numberAt(heading, 'start') ?? 0,
        text: stringAt(heading, 'text') ?? '',
      })),
    }),
  };
}

/** A failure belongs to the piece whose id it bears, or begins with: a file may hold many documents. */
function told(items: readonly StagedItem[], outcome: IngestOutcome): StagedOutcome {
  const failed = new Map<number, IngestOutcome['failed'][number]>();
  const exact = new Map(items.map((item) => [item.id, item]));
  for (const failure of outcome.failed) {
    const item =
      exact.get(failure.id) ??
      items.filter(({ id }) => failure.id.startsWith(id)).sort((a, b) => b.id.length - a.id.length)[0];
    if (item === undefined) continue;
    const known = failed.get(item.ordinal);
    // What may pass decides: the piece is tried again, and what cannot be done fails again then.
    if (known === undefined || failure.retryable === true) failed.set(item.ordinal, failure);
  }
  // Which of the others were unchanged is only known by number; the numbers are what is told in the end.
  let unchanged = outcome.unchanged;
  let { chunks } = outcome;
  const told: StagedOutcome = { outcomes: [], later: [] };
  for (const { ordinal } of items) {
    const failure = failed.get(ordinal);
    if (failure?.retryable === true) told.later.push({ ordinal, reason: failure.reason });
    else if (failure !== undefined) told.outcomes.push({ ordinal, state: 'failed', reason: failure.reason });
    else {
      told.outcomes.push({ ordinal, state: unchanged-- > 0 ? 'unchanged' : 'indexed', chunks });
      chunks = 0;
    }
  }
  return told;
}
