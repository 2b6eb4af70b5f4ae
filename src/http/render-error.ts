import type { ErrorHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { anthropicDialect } from './dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from './dialects/openai/openai-dialect.ts';
import type { HttpEnv } from './http-context.ts';
import { languageOf } from './middleware/open-request.ts';

/**
 * Turns whatever was thrown into the caller's dialect and language. The cause goes to the log, with the
 * request id that the caller is given; nothing of it goes to the caller.
 */
export function renderError(telemetry: Pick<Telemetry, 'requestFailed'>): ErrorHandler<HttpEnv> {
  return (thrown, context) => {
    const error = translated(thrown);
    const requestId = context.get('requestId') ?? 'req_unknown';
    const language = context.get('language') ?? languageOf(context.req.header('accept-language'));
    telemetry.requestFailed({ requestId, method: context.req.method, path: context.req.path, error });
    const dialect = /^\/v1\/messages(?:\/|$)/.test(context.req.path) ? anthropicDialect : openAiDialect;
    const headers: Record<string, string> = {
      ...Object.fromEntries(error.headers),
      'content-type': 'application/json; charset=utf-8',
      'content-language': language,
      'x-sekisho-request-id': requestId,
      // The OpenAI and Anthropic SDKs obey this header when they decide whether to try again.
      'x-should-retry': String(error.retryable),
    };
    if (error.retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfterMs / 1000));
    const body = JSON.stringify(dialect.encodeError(error, language, requestId));
    return new Response(body, { status: error.status, headers });
  };
}

function translated(thrown: unknown): SekishoError {
  if (thrown instanceof HTTPException && thrown.status < 500) {
    return new SekishoError('invalid_request', {
      values: { problem: thrown.message || 'malformed request' },
      cause: thrown,
    });
  }
  return toSekishoError(thrown);
}
