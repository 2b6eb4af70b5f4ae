import { Hono } from 'hono';
import type { CountCall, CountOutcome } from '../../gateway/count-tokens.ts';
import { callHeaders } from '../call-headers.ts';
import { anthropicDialect } from '../dialects/anthropic/anthropic-dialect.ts';
import { withoutPins } from '../dialects/pins.ts';
import type { HttpEnv } from '../http-context.ts';
import { modelHeaders } from '../model-headers.ts';
import { readJson } from '../read-body.ts';

export interface CountTokensRouteDeps {
  countTokens: (call: CountCall) => Promise<CountOutcome>;
}

/** `POST /v1/messages/count_tokens` (docs.anthropic.com/en/api/messages-count-tokens), for models of any wire. */
export function countTokensRoutes({ countTokens }: CountTokensRouteDeps): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/messages/count_tokens', async (context) => {
    const body = await readJson(context);
    const { route, endUser } = anthropicDialect.check(body.json);
    const { facts, inputTokens } = await countTokens({
      ...callHeaders(context),
      route,
      request: () => anthropicDialect.decode(body.json),
      native: { wire: 'anthropic', ...withoutPins(body) },
      ...(endUser !== undefined && { endUser }),
    });
    return context.json({ input_tokens: inputTokens }, 200, modelHeaders(context, facts));
  });
}
