import { formatSse } from '../../../lib/format-sse.ts';
import { objectAt, stringAt, type JsonObject } from '../../../lib/json.ts';
import type { Language, SekishoError } from '../../../spec/errors.ts';
import type { ChatDialect } from '../dialect.ts';
import { checkChat } from '../read-request.ts';
import { decodeChatRequest } from './decode-request.ts';
import { encodeMessage } from './encode-answer.ts';
import { createStreamEncoder } from './stream-encoder.ts';

/** The dialect of Anthropic's messages. */
export const anthropicDialect: ChatDialect = {
  wire: 'anthropic',
  check: (json) => {
    const endUser = stringAt(objectAt(json, 'metadata') ?? {}, 'user_id');
    return { ...checkChat(json), ...(endUser !== undefined && { endUser }) };
  },
  decode: decodeChatRequest,
  encodeResult: encodeMessage,
  streamEncoder: createStreamEncoder,
  encodeError,
  encodeStreamError: (error, language, requestId) =>
    formatSse({ event: 'error', data: JSON.stringify(encodeError(error, language, requestId)) }),
};

/** `code` is ours; everything else is what the dialect's SDKs read. */
function encodeError(error: SekishoError, language: Language, requestId: string): JsonObject {
  return {
    type: 'error',
    error: { type: typeOf(error.status), message: error.messageIn(language), code: error.code },
    request_id: requestId,
  };
}

/** The dialect's own names for kinds of errors (docs.anthropic.com/en/api/errors). */
function typeOf(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error';
    case 402:
      return 'billing_error';
    case 403:
      return 'permission_error';
    case 404:
      return 'not_found_error';
    case 413:
      return 'request_too_large';
    case 429:
      return 'rate_limit_error';
    case 503:
      return 'overloaded_error';
    case 504:
      return 'timeout_error';
    default:
      return status < 500 ? 'invalid_request_error' : 'api_error';
  }
}
