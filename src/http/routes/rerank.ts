import { Hono } from 'hono';
import type { ModelGateway } from '../../gateway/model-call.ts';
import { callHeaders } from '../call-headers.ts';
import { decodeRerankRequest, encodeRerankResult } from '../dialects/rerank/rerank.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { modelHeaders } from '../model-headers.ts';
import { readJson } from '../read-body.ts';

/** `POST /v1/rerank`, and `/v2/rerank`, where the clients of one vendor look for it. */
export function rerankRoutes({ gateway }: { gateway: Pick<ModelGateway, 'rerank'> }): Hono<HttpEnv> {
  const rerank = async (context: HttpContext): Promise<Response> => {
    const { json } = await readJson(context);
    const decoded = decodeRerankRequest(json);
    const { route, request, endUser } = decoded;
    const { facts, answer } = await gateway.rerank({
      ...callHeaders(context),
      route,
      request,
      ...(endUser !== undefined && { endUser }),
    });
    return context.json(encodeRerankResult(answer, decoded), 200, modelHeaders(context, facts));
  };
  return new Hono<HttpEnv>().post('/v1/rerank', rerank).post('/v2/rerank', rerank);
}
