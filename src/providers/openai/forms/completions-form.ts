import { arrayAt, isJsonObject, numberAt, stringAt, type JsonObject } from '../../../lib/json.ts';
import type { StreamPart } from '../../../spec/chat.ts';
import { noUsage } from '../../../spec/usage.ts';
import type { EventDecoder } from '../../kit/decoding-reader.ts';
import { decodeFinish } from '../decode.ts';
import { chunkError } from '../decode-chunk.ts';
import { createPassing } from '../passing.ts';
import { findUsage } from '../usage.ts';
import type { PassedForm } from './body-form.ts';
import { answersOf, wantsUsage } from './chat-form.ts';

/** Completions (platform.openai.com/docs/api-reference/completions), which some servers still take. */
export const completionsForm: PassedForm = {
  form: 'openai-completions',
  path: '/completions',
  asksForUsage: true,
  isAnswer: (body) => Array.isArray(body['choices']),
  decode: (body) => {
    const choice = firstChoice(body);
    const text = stringAt(choice, 'text') ?? '';
    return {
      id: stringAt(body, 'id') ?? '',
      model: stringAt(body, 'model') ?? '',
      createdMs: (numberAt(body, 'created') ?? 0) * 1000,
      parts: text === '' ? [] : [{ type: 'text', text }],
      finish: decodeFinish(stringAt(choice, 'finish_reason') ?? 'stop'),
      usage: findUsage(body) ?? noUsage(),
    };
  },
  passing: (target, request) =>
    createPassing({
      target,
      usageChunk: wantsUsage(request) ? 'show' : 'hide',
      choices: answersOf(request) * promptsOf(request),
    }),
  decoder: createTextDecoder,
};

/** A list of texts, or of lists of tokens, is as many prompts; a list of tokens is one. */
function promptsOf(request: JsonObject): number {
  const prompts = arrayAt(request, 'prompt');
  return prompts.length > 0 && typeof prompts[0] !== 'number' ? prompts.length : 1;
}

/** A decoder of completion chunks; of several choices only the first is followed. */
function createTextDecoder(target: string): EventDecoder {
  let started = false;
  return {
    isEnd: (data) => data === '[DONE]',
    decode(chunk) {
      const error = chunkError(chunk, target);
      if (error !== undefined) return [{ type: 'error', error }];
      const parts: StreamPart[] = [];
      if (!started) {
        started = true;
        const createdMs = (numberAt(chunk, 'created') ?? 0) * 1000;
        parts.push({
          type: 'start',
          id: stringAt(chunk, 'id') ?? '',
          model: stringAt(chunk, 'model') ?? '',
          createdMs,
        });
      }
      const choice = firstChoice(chunk);
      const text = stringAt(choice, 'text') ?? '';
      if (text !== '') parts.push({ type: 'text', text });
      const usage = findUsage(chunk);
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      const finish = stringAt(choice, 'finish_reason');
      if (finish) parts.push({ type: 'finish', finish: decodeFinish(finish) });
      return parts;
    },
  };
}

function firstChoice(body: JsonObject): JsonObject {
  return (
    arrayAt(body, 'choices')
      .filter(isJsonObject)
      .find((each) => (numberAt(each, 'index') ?? 0) === 0) ?? {}
  );
}
