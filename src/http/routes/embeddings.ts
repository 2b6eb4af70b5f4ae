import { Hono } from 'hono';
import type { ModelGateway } from '../../gateway/model-call.ts';
import { callHeaders } from '../call-headers.ts';
import { decodeEmbeddingRequest, encodeEmbeddingResult } from '../dialects/openai/embeddings.ts';
import type { HttpEnv } from '../http-context.ts';
import { modelHeaders } from '../model-headers.ts';
import { readJson } from '../read-body.ts';

/** `POST /v1/embeddings`. */
export function embeddingRoutes(deps: { gateway: Pick<ModelGateway, 'embed'> }): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/embeddings', async (context) => {
    const body = await readJson(context);
    const { route, request, endUser } = decodeEmbeddingRequest(body.json);
    const { facts, answer } = await deps.gateway.embed({
      ...callHeaders(context),
      route,
      request,
      native: { wire: 'openai', text: body.text, json: body.json },
      ...(endUser !== undefined && { endUser }),
    });
    const headers = { ...modelHeaders(context, facts), 'content-type': 'application/json' };
    const text = answer.native?.text ?? JSON.stringify(encodeEmbeddingResult(answer.result(), answer.usage, body.json));
    return new Response(text, { headers });
  });
}
