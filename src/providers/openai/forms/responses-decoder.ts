import { numberAt, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { FinishReason, StreamPart } from '../../../spec/chat.ts';
import type { EventDecoder } from '../../kit/decoding-reader.ts';
import { errorInAnswer } from '../../kit/upstream-error.ts';
import { chunkError } from '../decode-chunk.ts';
import { decodeUsage } from '../usage.ts';

/** A decoder of the events of a streamed response (platform.openai.com/docs/api-reference/responses-streaming). */
export function createResponsesDecoder(target: string): EventDecoder {
  const calls = new Map<number, { place: number; written: boolean }>();

  function write(event: JsonObject, key: 'delta' | 'arguments'): StreamPart[] {
    const call = calls.get(numberAt(event, 'output_index') ?? -1);
    const written = stringAt(event, key) ?? '';
    // The whole text at the end is of use only where no piece of it came before.
    if (call === undefined || written === '' || (key === 'arguments' && call.written)) return [];
    call.written = true;
    return [{ type: 'tool-call-delta', index: call.place, arguments: written }];
  }

  function add(event: JsonObject): StreamPart[] {
    const item = objectAt(event, 'item') ?? {};
    if (item['type'] !== 'function_call') return [];
    const place = calls.size;
    calls.set(numberAt(event, 'output_index') ?? place, { place, written: false });
    const id = stringAt(item, 'call_id') ?? '';
    return [{ type: 'tool-call-start', index: place, id, name: stringAt(item, 'name') ?? '' }];
  }

  function end(response: JsonObject): StreamPart[] {
    const usage = objectAt(response, 'usage');
    const finish: StreamPart = { type: 'finish', finish: responseFinish(response, calls.size > 0) };
    return usage === undefined ? [finish] : [{ type: 'usage', usage: decodeUsage(usage) }, finish];
  }

  const failed = (error: JsonValue): StreamPart[] => [{ type: 'error', error: errorInAnswer(target, error) }];

  return {
    isEnd: (data, event) =>
      data === '[DONE]' || event?.['type'] === 'response.completed' || event?.['type'] === 'response.incomplete',
    decode(event) {
      switch (event['type']) {
        case 'response.created': {
          const response = objectAt(event, 'response') ?? {};
          const createdMs = (numberAt(response, 'created_at') ?? 0) * 1000;
          return [
            { type: 'start', id: stringAt(response, 'id') ?? '', model: stringAt(response, 'model') ?? '', createdMs },
          ];
        }
        case 'response.output_text.delta':
        case 'response.refusal.delta':
          return textPart('text', event);
        case 'response.reasoning_summary_text.delta':
        case 'response.reasoning_text.delta':
          return textPart('reasoning', event);
        case 'response.output_item.added':
          return add(event);
        case 'response.function_call_arguments.delta':
          return write(event, 'delta');
        case 'response.function_call_arguments.done':
          return write(event, 'arguments');
        case 'response.completed':
        case 'response.incomplete':
          return end(objectAt(event, 'response') ?? {});
        case 'response.failed':
          return failed(objectAt(event, 'response')?.['error'] ?? 'failed');
        case 'error':
          return failed(event['error'] ?? event);
        default: {
          const error = chunkError(event, target);
          return error === undefined ? [] : [{ type: 'error', error }];
        }
      }
    },
  };
}

/** Why a response ended. */
export function responseFinish(response: JsonObject, called: boolean): FinishReason {
  if (response['status'] === 'incomplete') {
    const reason = stringAt(objectAt(response, 'incomplete_details') ?? {}, 'reason');
    if (reason === 'max_output_tokens') return 'length';
    return reason === 'content_filter' ? 'content-filter' : 'other';
  }
  return called ? 'tool-calls' : 'stop';
}

function textPart(type: 'text' | 'reasoning', event: JsonObject): StreamPart[] {
  const text = stringAt(event, 'delta') ?? '';
  return text === '' ? [] : [{ type, text }];
}
