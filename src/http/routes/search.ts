import { Hono } from 'hono';
import { mayUseRoute } from '../../access/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { Retrieve } from '../../rag/retrieve/retrieve.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Principal } from '../../spec/principal.ts';
import { searchRequestSchema } from '../contract/documents.ts';
import type { HttpEnv } from '../http-context.ts';
import { readValid } from '../read-body.ts';

/** `POST /v1/search`: the hits of a question, without an answer. */
export function searchRoutes(deps: { retrieve: Retrieve; clock: Clock }): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/search', async (context) => {
    const request = await readValid(context, searchRequestSchema);
    const principal = context.get('principal');
    requireCollection(principal, request.collection);
    const { hits, timings } = await deps.retrieve({
      principal,
      collection: request.collection,
      query: request.query,
      topK: request.top_k,
      signal: context.req.raw.signal,
      requestId: context.get('requestId'),
      ...(request.filters !== undefined && { filters: request.filters as JsonObject }),
    });
    return context.json({
      hits: hits.map((hit) => ({
        document_id: hit.documentId,
        chunk_id: hit.chunkId,
        start: hit.start,
        end: hit.end,
        title: hit.title,
        heading_path: hit.headingPath,
        content: hit.content,
        score: hit.score,
        metadata: hit.metadata,
        ...(request.explain && { explain: hit.explain }),
      })),
      processing_time: (deps.clock.monotonicMs() - context.get('startedMs')) / 1000,
      ...(request.explain && { timings }),
    });
  });
}

/** A key that is bound to routes reaches a collection only through `rag/<collection>`. */
export function requireCollection(principal: Principal, collection: string): void {
  const route = `rag/${collection}`;
  if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
}
