import { Hono } from 'hono';
import { requireAdmin } from '../../access/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { indexRequestSchema } from '../contract/documents.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { judge, readValid } from '../read-body.ts';

/** What the documents room does for HTTP. */
export interface DocumentsRoom {
  index(request: {
    principal: Principal;
    collection: string;
    documents: readonly { id?: string; title?: string; content: string; metadata?: JsonObject }[];
    signal: AbortSignal;
    requestId: RequestId;
  }): Promise<IndexOutcome>;
  indexFiles(request: {
    principal: Principal;
    collection: string;
    files: readonly File[];
    signal: AbortSignal;
    requestId: RequestId;
  }): Promise<IndexOutcome>;
  list(principal: Principal, collection: string, page: { after?: string; limit: number }): Promise<object[]>;
  get(principal: Principal, collection: string, id: string): Promise<object>;
  remove(principal: Principal, collection: string, id: string): Promise<void>;
  collections(principal: Principal): Promise<object[]>;
  removeCollection(principal: Principal, collection: string): Promise<void>;
}

export interface IndexOutcome {
  indexed: number;
  unchanged: number;
  failed: readonly { id: string; reason: string }[];
  chunks: number;
}

const MAX_FILES = 100;

/** Documents in, documents out, documents gone. Reading is for every key, writing for administrators. */
export function documentRoutes(deps: { documents: DocumentsRoom; clock: Clock }): Hono<HttpEnv> {
  const { documents, clock } = deps;

  async function indexed(
    context: HttpContext,
    collection: string,
    index: (request: Pick<Parameters<DocumentsRoom['index']>[0], 'principal' | 'collection' | 'signal' | 'requestId'>) => Promise<IndexOutcome>,
  ): Promise<Response> {
    const principal = context.get('principal');
    requireAdmin(principal, 'index documents');
    const outcome = await index({
      principal,
      collection,
      signal: context.req.raw.signal,
      requestId: context.get('requestId'),
    });
    const seconds = (clock.monotonicMs() - context.get('startedMs')) / 1000;
    return context.json({ collection_name: collection, ...outcome, processing_time: seconds });
  }

  return new Hono<HttpEnv>()
    .post('/v1/index', async (context) => {
      const body = await readValid(context, indexRequestSchema);
      return indexed(context, body.collection_name, (request) =>
        documents.index({
          ...request,
          documents: body.documents.map(({ id, title, content, metadata }) => ({
            content,
            ...(id !== undefined && { id }),
            ...(title !== undefined && { title }),
            ...(metadata !== undefined && { metadata: metadata as JsonObject }),
          })),
        }),
      );
    })
    .post('/v1/collections/:collection/files', async (context) => {
      const collection = judge(indexRequestSchema.shape.collection_name, context.req.param('collection'));
      const form = await context.req.parseBody({ all: true }).catch((cause: unknown) => {
        throw new SekishoError('invalid_request', { values: { problem: 'the body must be multipart/form-data' }, cause });
      });
      const files = Object.values(form).flat().filter((value) => value instanceof File);
      if (files.length === 0 || files.length > MAX_FILES) {
        throw new SekishoError('invalid_request', { values: { problem: `send 1 to ${MAX_FILES} files` }, param: 'file' });
      }
      return indexed(context, collection, (request) => documents.indexFiles({ ...request, files }));
    })
    .get('/v1/collections', async (context) =>
      context.json({ data: await documents.collections(context.get('principal')) }),
    )
    .delete('/v1/collections/:collection', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'delete collections');
      const collection = context.req.param('collection');
      await documents.removeCollection(principal, collection);
      return context.json({ collection_name: collection, deleted: true });
    })
    .get('/v1/collections/:collection/documents', async (context) => {
      const after = context.req.query('after');
      const limit = Math.min(1_000, Math.max(1, Number(context.req.query('limit') ?? 100) || 100));
      const page = { limit, ...(after !== undefined && { after }) };
      return context.json({
        data: await documents.list(context.get('principal'), context.req.param('collection'), page),
      });
    })
    .get('/v1/collections/:collection/documents/:id{.+}', async (context) =>
      context.json(await documents.get(context.get('principal'), context.req.param('collection'), context.req.param('id'))),
    )
    .delete('/v1/collections/:collection/documents/:id{.+}', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'delete documents');
      const { collection, id } = context.req.param();
      await documents.remove(principal, collection, id);
      return context.json({ id, deleted: true });
    });
}
