import { isJsonObject, numberAt, type JsonObject } from '../../../lib/json.ts';
import { decodeChatResult } from '../decode.ts';
import { createChunkDecoder } from '../decode-chunk.ts';
import { createPassing } from '../passing.ts';
import type { PassedForm } from './body-form.ts';

/** Chat completions: what every endpoint of the wire takes. */
export const chatForm: PassedForm = {
  form: 'openai',
  path: '/chat/completions',
  asksForUsage: true,
  isAnswer: (body) => Array.isArray(body['choices']),
  decode: decodeChatResult,
  passing: (target, request) =>
    createPassing({ target, usageChunk: wantsUsage(request) ? 'show' : 'hide', choices: answersOf(request) }),
  decoder: createChunkDecoder,
};

/** Whether the caller of a stream asked to be told its usage. */
export function wantsUsage(request: JsonObject): boolean {
  const options = request['stream_options'];
  return isJsonObject(options) && options['include_usage'] === true;
}

/** How many answers to one prompt were asked for. */
export function answersOf(request: JsonObject): number {
  return Math.max(1, numberAt(request, 'n') ?? 1);
}
