import { objectAt, stringAt, type JsonObject } from '../../../lib/json.ts';
import { formatSse } from '../../../lib/format-sse.ts';
import type { Language, SekishoError } from '../../../spec/errors.ts';
import type { ChatDialect } from '../dialect.ts';
import { checkChat } from '../read-request.ts';
import { decodeMessagesRequest } from './decode-request.ts';
import { createMessageEncoder, encodeMessage } from './encode-answer.ts';

/** The dialect of Anthropic's messages. */
export const anthropicDialect: ChatDialect = {
  wire: 'anthropic',
  check: (json) => {
    const endUser = stringAt(objectAt(json, 'metadata') ?? {}, 'user_id');
    return { ...checkChat(json), ...(endUser !== undefined && { endUser }) };
  },
  decode: decodeMessagesRequest,
  encodeResult: encodeMessage,
  streamEncoder: createMessageEncoder,
  encodeError,
  encodeStreamError: (error, language, requestId) =>
    formatSse({ event: 'error', data: JSON.stringify(encodeError(error, language, requestId)) }),
};

function encodeError(error: SekishoError, language: Language, requestId: string): JsonObject {
  return {
    type: 'error',
    error: { type: typeOf(error.status), message: error.messageIn(language), code: error.code },
    request_id: requestId,
  };
}

/** The dialect's own names for kinds of errors. */
function typeOf(status: number): string {
  const types: Record<number, string> = {
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    503: 'overloaded_error',
    504: 'timeout_error',
  };
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
