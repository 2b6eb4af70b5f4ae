import { Hono } from 'hono';
import type { z } from 'zod';
import { mayUseRoute } from '../../access/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import { pageOf, shownMetadata } from '../../rag/pages.ts';
import type { Retrieve, RetrieveRequest } from '../../rag/retrieve/retrieve.ts';
import type { ExplainAbsence } from '../../rag/retrieve/why-not.ts';
import type { Hit, HitExplain } from '../../spec/document.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Principal } from '../../spec/principal.ts';
import {
  searchRequestSchema,
  whyNotRequestSchema,
  type hitExplainSchema,
  type searchHitSchema,
  type searchResponseSchema,
  type whyNotResponseSchema,
} from '../contract/search.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { actingByBody } from '../acting-as.ts';
import { readValid } from '../read-body.ts';

export interface SearchRouteDeps {
  retrieve: Retrieve;
  whyNot: ExplainAbsence;
  clock: Clock;
}

type SearchFields = Omit<z.infer<typeof whyNotRequestSchema>, 'document_id'>;

/** `POST /v1/search`: the hits of a question, without an answer. `POST /v1/search/why-not`: why one is not among them. */
export function searchRoutes({ retrieve, whyNot, clock }: SearchRouteDeps): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .post('/v1/search', async (context) => {
      const request = await readValid(context, searchRequestSchema);
      const { hits, record, timings, degradedBy } = await retrieve(requestOf(context, request));
      const { denseWeight, ...told } = record;
      return context.json({
        hits: hits.map(({ explain, ...hit }) => shown(request.explain && explain ? { ...hit, explain } : hit)),
        processing_time: (clock.monotonicMs() - context.get('startedMs')) / 1000,
        ...(degradedBy !== undefined && { degraded: degradedBy.code }),
        ...(request.explain && {
          explain: { ...told, dense_weight: denseWeight, filters: request.filters ?? {} },
          timings: { ...timings },
        }),
      } satisfies z.infer<typeof searchResponseSchema>);
    })

    .post('/v1/search/why-not', async (context) => {
      const { document_id, ...request } = await readValid(context, whyNotRequestSchema);
      const told = await whyNot({ ...requestOf(context, request), documentId: document_id });
      const { fusedRank, neededScore, explain, degradedBy, ...rest } = told;
      return context.json({
        document_id,
        ...rest,
        ...(fusedRank !== undefined && { fused_rank: fusedRank }),
        ...(neededScore !== undefined && { needed_score: neededScore }),
        ...(explain !== undefined && { explain: explained(explain) }),
        ...(degradedBy !== undefined && { degraded: degradedBy.code }),
      } satisfies z.infer<typeof whyNotResponseSchema>);
    });
}

/** A key that is bound to routes reaches a collection only through `rag/<collection>`. */
export function requireCollection(principal: Principal, collection: string): void {
  const route = `rag/${collection}`;
  if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
}

function requestOf(context: HttpContext, fields: SearchFields): RetrieveRequest {
  const principal = actingByBody(context.get('principal'), fields.as);
  const { collection, query, queries, hyde, top_k: topK, filters, mode, rerank } = fields;
  requireCollection(principal, collection);
  return {
    principal,
    collection,
    query,
    signal: context.req.raw.signal,
    requestId: context.get('requestId'),
    ...(queries && { queries: queries.map(({ text, weight = 1 }) => ({ text, weight })) }),
    ...(hyde !== undefined && { hyde }),
    ...(topK !== undefined && { topK }),
    ...(filters !== undefined && { filters: filters }),
    ...(mode !== undefined && { mode }),
    ...(rerank !== undefined && { rerank }),
  };
}

function shown({ documentId, chunkId, headingPath, explain, ...hit }: Hit): z.infer<typeof searchHitSchema> {
  return {
    document_id: documentId,
    chunk_id: chunkId,
    heading_path: headingPath,
    ...hit,
    ...pageOf(hit),
    metadata: shownMetadata(hit.metadata),
    ...(explain !== undefined && { explain: explained(explain) }),
  };
}

function explained({ rerank, factors, ...rest }: HitExplain): z.infer<typeof hitExplainSchema> {
  return {
    ...rest,
    ...(rerank && {
      rerank: {
        kind: rerank.kind,
        raw: rerank.raw,
        rank_before: rerank.rankBefore,
        rank_after: rerank.rankAfter,
      },
    }),
    ...(factors && {
      factors: {
        ...(factors.timeDecay !== undefined && { time_decay: factors.timeDecay }),
        ...(factors.trust !== undefined && { trust: factors.trust }),
      },
    }),
  };
}
