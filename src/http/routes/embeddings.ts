import { Hono } from 'hono';
import type { ModelGateway } from '../../gateway/model-call.ts';
import { costHeader, headerValue } from '../answer-chat.ts';
import { decodeEmbeddingRequest, encodeEmbeddingResult } from '../dialects/openai/embeddings.ts';
import type { HttpEnv } from '../http-context.ts';
import { readJson } from '../read-body.ts';

/** `POST /v1/embeddings`. */
export function embeddingRoutes(deps: { gateway: Pick<ModelGateway, 'embed'> }): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/embeddings', async (context) => {
    const body = await readJson(context);
    const { route, request, endUser } = decodeEmbeddingRequest(body.json);
    const { facts, answer } = await deps.gateway.embed({
      requestId: context.get('requestId'),
      principal: context.get('principal'),
      startedMs: context.get('startedMs'),
      route,
      signal: context.req.raw.signal,
      request,
      native: { wire: 'openai', text: body.text, json: body.json },
      ...(endUser !== undefined && { endUser }),
    });
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'x-sekisho-route': headerValue(route),
      'x-sekisho-target': headerValue(facts.target),
      'x-sekisho-cache': 'miss',
      'x-sekisho-overhead-ms': facts.overheadMs().toFixed(2),
    };
    costHeader(headers, facts.costMicros);
    const text = answer.native?.text ?? JSON.stringify(encodeEmbeddingResult(answer.result(), answer.usage, body.json));
    return new Response(text, { headers });
  });
}
