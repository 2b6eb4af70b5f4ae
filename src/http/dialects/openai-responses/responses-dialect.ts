import { formatSse } from '../../../lib/format-sse.ts';
import { openAiDialect } from '../openai/openai-dialect.ts';
import type { ChatDialect } from '../dialect.ts';
import { checkResponsesRequest, decodeResponsesRequest } from './decode-request.ts';
import { encodeResponse } from './encode-answer.ts';
import { createStreamEncoder } from './stream-encoder.ts';

/** The dialect of OpenAI's responses. */
export const responsesDialect: ChatDialect = {
  wire: 'openai-responses',
  check: checkResponsesRequest,
  decode: decodeResponsesRequest,
  encodeResult: encodeResponse,
  streamEncoder: createStreamEncoder,
  encodeError: openAiDialect.encodeError,
  /** Told twice in one event: clients read the fields at its top, or the object that plain errors come in. */
  encodeStreamError: (error, language, requestId) => {
    const { error: told } = openAiDialect.encodeError(error, language, requestId);
    const message = error.messageIn(language);
    const top = { type: 'error', sequence_number: 0, code: error.code, message, param: error.param ?? null };
    return formatSse({ event: 'error', data: JSON.stringify({ ...top, ...(told !== undefined && { error: told }) }) });
  },
};
