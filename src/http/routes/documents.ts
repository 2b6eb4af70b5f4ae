import { Hono } from 'hono';
import { mayUseRoute, requireAdmin } from '../../access/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import { maySee, rightsOf } from '../../rag/access.ts';
import type { AmendDocuments } from '../../rag/amend-documents.ts';
import type { Collections } from '../../rag/collections.ts';
import { pageStartsOf, shownMetadata } from '../../rag/pages.ts';
import type { DocumentRecord, Documents, Place } from '../../rag/documents.ts';
import type { Ingest, IngestOutcome, IngestRequest } from '../../rag/ingest/ingest-documents.ts';
import type { IngestFiles } from '../../rag/ingest/ingest-files.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import type { Principal } from '../../spec/principal.ts';
import { amendRequestSchema, indexRequestSchema } from '../contract/documents.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { documentAccessOf, newDocumentOf } from '../new-document.ts';
import { judge, readValid } from '../read-body.ts';
import { accessOfForm, readUpload } from '../read-upload.ts';
import { requireCollection } from './search.ts';

export interface DocumentRouteDeps {
  collections: Collections;
  documents: Documents;
  ingest: Ingest;
  ingestFiles: IngestFiles;
  amendments: AmendDocuments;
  clock: Clock;
}

const MAX_FILES = 100;
const MAX_PAGE = 1_000;

/** Documents in, documents out, documents gone. Reading is for every key, writing for administrators. */
export function documentRoutes({
  collections,
  documents,
  ingest,
  ingestFiles,
  amendments,
  clock,
}: DocumentRouteDeps): Hono<HttpEnv> {
  async function indexed(
    context: HttpContext,
    collection: string,
    index: (request: Omit<IngestRequest, 'documents'>) => Promise<IngestOutcome>,
  ): Promise<Response> {
    const principal = context.get('principal');
    requireAdmin(principal, 'index documents');
    const request = { principal, collection, signal: context.req.raw.signal, requestId: context.get('requestId') };
    const outcome = await index(request);
    const seconds = (clock.monotonicMs() - context.get('startedMs')) / 1000;
    return context.json({ collection_name: collection, ...outcome, processing_time: seconds });
  }

  /** Where the request reads, once it is sure that there is such a collection and that the key may see it. */
  async function readable(context: HttpContext, collection: string): Promise<Place> {
    const principal = context.get('principal');
    requireCollection(principal, collection);
    await collections.require(principal.tenantId, collection);
    return { tenantId: principal.tenantId, collection };
  }

  return new Hono<HttpEnv>()
    .post('/v1/index', async (context) => {
      const body = await readValid(context, indexRequestSchema);
      return indexed(context, body.collection_name, (request) =>
        ingest.index({
          ...request,
          documents: body.documents.map(newDocumentOf),
        }),
      );
    })

    .post('/v1/collections/:collection/files', async (context) => {
      const collection = judge(indexRequestSchema.shape.collection_name, context.req.param('collection'));
      const { files, fields } = await readUpload(context, MAX_FILES);
      const access = accessOfForm(fields);
      return indexed(context, collection, (request) =>
        ingestFiles({ ...request, files, ...(access !== undefined && { access }) }),
      );
    })

    .get('/v1/collections', async (context) => {
      const principal = context.get('principal');
      const all = await collections.list(principal.tenantId);
      const data = all
        .filter(({ name }) => mayUseRoute(principal, `rag/${name}`))
        .map((each) => ({
          name: each.name,
          documents: each.documents,
          chunks: each.chunks,
          pending: each.pending,
          failed: each.failed,
          embedding_model: each.embeddingRoute,
          fingerprint: each.fingerprint,
          created_at: new Date(each.createdMs).toISOString(),
        }));
      return context.json({ data });
    })

    .get('/v1/collections/:collection/documents', async (context) => {
      const place = await readable(context, context.req.param('collection'));
      const limit = Math.min(MAX_PAGE, Math.max(1, Number(context.req.query('limit') ?? 100) || 100));
      const principal = context.get('principal');
      const sees = (access: DocumentAccess | null): boolean => maySee(principal, access);
      const mine = rightsOf(principal) === 'all' ? {} : { sees };
      const data = await documents.list(place, { after: context.req.query('after') ?? '', limit, ...mine });
      return context.json({ data: data.map((each) => shown(each, principal)), has_more: data.length === limit });
    })

    .get('/v1/collections/:collection/documents/:id{.+}', async (context) => {
      const { collection, id } = context.req.param();
      const document = await documents.get(await readable(context, collection), id);
      const principal = context.get('principal');
      if (document === undefined || !maySee(principal, document.access)) {
        throw new SekishoError('document_not_found', { values: { collection, document: id.slice(0, 200) } });
      }
      const starts = pageStartsOf(document.metadata);
      return context.json({
        ...shown(document, principal),
        ...(starts.length > 0 && { page_starts: starts }),
        content: document.text,
      });
    })

    .patch('/v1/collections/:collection/documents/:id{.+}', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'change documents');
      const { metadata, access } = await readValid(context, amendRequestSchema);
      const { collection, id } = context.req.param();
      const place = await readable(context, collection);
      const document = await amendments.amend(place, id, {
        ...(metadata !== undefined && { metadata: metadata as JsonObject }),
        ...(access !== undefined && { access: access === null ? null : documentAccessOf(access) }),
      });
      return context.json(shown(document, principal));
    })

    .delete('/v1/collections/:collection/documents/:id{.+}', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'delete documents');
      const { collection, id } = context.req.param();
      await ingest.remove({ tenantId: principal.tenantId, collection }, [id]);
      return context.json({ id, deleted: true });
    });
}

/** Whom a document is opened to is told to those who may change it. */
function shown(record: DocumentRecord, principal: Principal) {
  return {
    id: record.id,
    title: record.title,
    state: record.state,
    ...(record.failure !== null && { failure: record.failure }),
    metadata: shownMetadata(record.metadata),
    ...(principal.role === 'admin' && { access: record.access }),
    chunks: record.chunks,
    characters: record.characters,
    updated_at: new Date(record.updatedMs).toISOString(),
  };
}
