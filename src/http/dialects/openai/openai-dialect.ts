import { stringAt, type JsonObject } from '../../../lib/json.ts';
import { formatSse } from '../../../lib/format-sse.ts';
import type { Language, SekishoError } from '../../../spec/errors.ts';
import type { ChatDialect } from '../dialect.ts';
import { checkChat, wrong } from '../read-request.ts';
import { decodeChatRequest } from './decode-request.ts';
import { createStreamEncoder, encodeChatResult } from './encode-answer.ts';

/** More answers to one question than this nobody reads. */
const MAX_ANSWERS = 16;

/** The dialect of OpenAI's chat completions. */
export const openAiDialect: ChatDialect = {
  wire: 'openai',
  check: (json) => {
    const { n } = json;
    if (
      n !== undefined &&
      n !== null &&
      !(typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= MAX_ANSWERS)
    ) {
      throw wrong('n', `must be a whole number from 1 to ${MAX_ANSWERS}`);
    }
    const endUser = stringAt(json, 'user');
    return { ...checkChat(json), ...(endUser !== undefined && { endUser }) };
  },
  decode: decodeChatRequest,
  encodeResult: encodeChatResult,
  streamEncoder: createStreamEncoder,
  encodeError,
  encodeStreamError: (error, language, requestId) =>
    formatSse({ data: JSON.stringify(encodeError(error, language, requestId)) }),
};

function encodeError(error: SekishoError, language: Language, requestId: string): JsonObject {
  return {
    error: {
      message: error.messageIn(language),
      type: typeOf(error.status),
      param: error.param ?? null,
      code: error.code,
      request_id: requestId,
    },
  };
}

/** The dialect's own names for kinds of errors. */
function typeOf(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error';
    case 402:
      return 'insufficient_quota';
    case 403:
      return 'permission_error';
    case 404:
      return 'not_found_error';
    case 429:
      return 'rate_limit_error';
    default:
      return status < 500 ? 'invalid_request_error' : 'server_error';
  }
}
