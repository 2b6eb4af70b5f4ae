import { numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { PassageInput, StreamPart } from '../../spec/chat.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { decodeCitation } from './citations.ts';
import { decodeFinish, failureIn } from './decode.ts';
import { findUsage } from './usage.ts';

/**
 * A decoder of the wire's events (docs.cohere.com/docs/streaming). Usage and finish come out together, with
 * `message-end`; some endpoints send `[DONE]` behind it and some do not.
 */
export function createEventDecoder(options: {
  target: string;
  model: string;
  passages: readonly PassageInput[];
  nowMs: () => number;
}): EventDecoder {
  const { target, model, passages, nowMs } = options;
  let calls = 0;
  /** What was said, for the places of citations; kept only where something can be cited. */
  let answered = '';
  const open = new Map<number, { place: number; written: boolean }>();

  function startCall(index: number, call: JsonObject): StreamPart[] {
    const called = objectAt(call, 'function') ?? {};
    const written = stringAt(called, 'arguments') ?? '';
    const place = calls++;
    open.set(index, { place, written: written !== '' });
    const [id, name] = [stringAt(call, 'id') ?? '', stringAt(called, 'name') ?? ''];
    const start: StreamPart = { type: 'tool-call-start', index: place, id, name };
    return written === '' ? [start] : [start, { type: 'tool-call-delta', index: place, arguments: written }];
  }

  function goOnWithCall(index: number, call: JsonObject): StreamPart[] {
    const known = open.get(index);
    const json = stringAt(objectAt(call, 'function') ?? {}, 'arguments') ?? '';
    if (known === undefined || json === '') return [];
    known.written = true;
    return [{ type: 'tool-call-delta', index: known.place, arguments: json }];
  }

  /** A call without arguments is written as an empty object, which is what its reader will parse. */
  function endCall(index: number): StreamPart[] {
    const known = open.get(index);
    open.delete(index);
    return known === undefined || known.written
      ? []
      : [{ type: 'tool-call-delta', index: known.place, arguments: '{}' }];
  }

  function end(delta: JsonObject): StreamPart[] {
    const reason = stringAt(delta, 'finish_reason') ?? '';
    const error = failureIn(reason, target, stringAt(delta, 'error'));
    if (error !== undefined) return [{ type: 'error', error }];
    const usage = findUsage(objectAt(delta, 'usage'));
    const left = [...open.keys()].flatMap(endCall);
    return [
      ...left,
      ...(usage === undefined ? [] : [{ type: 'usage' as const, usage }]),
      { type: 'finish', finish: decodeFinish(reason) },
    ];
  }

  return {
    isEnd: (data) => data === '[DONE]',
    decode(event) {
      const index = numberAt(event, 'index') ?? 0;
      const delta = objectAt(event, 'delta') ?? {};
      const message = objectAt(delta, 'message') ?? {};
      switch (event['type']) {
        case 'message-start':
          return [{ type: 'start', id: stringAt(event, 'id') ?? '', model, createdMs: nowMs() }];
        case 'content-start':
        case 'content-delta': {
          const content = objectAt(message, 'content') ?? {};
          if (passages.length > 0) answered += stringAt(content, 'text') ?? '';
          return [
            ...pieceOf('reasoning', stringAt(content, 'thinking')),
            ...pieceOf('text', stringAt(content, 'text')),
          ];
        }
        case 'tool-plan-delta':
          return pieceOf('reasoning', stringAt(message, 'tool_plan'));
        case 'tool-call-start':
          return startCall(index, objectAt(message, 'tool_calls') ?? {});
        case 'tool-call-delta':
          return goOnWithCall(index, objectAt(message, 'tool_calls') ?? {});
        case 'tool-call-end':
          return endCall(index);
        case 'citation-start': {
          const citations = decodeCitation(objectAt(message, 'citations') ?? {}, { passages, answered });
          return citations.length === 0 ? [] : [{ type: 'citations', citations }];
        }
        case 'message-end':
          return end(delta);
        default:
          return event['type'] === undefined || event['type'] === 'error' ? failure(event) : [];
      }
    },
  };

  /** An object that is no event tells of a failure. */
  function failure(event: JsonObject): StreamPart[] {
    return [{ type: 'error', error: errorInAnswer(target, event['error'] ?? event) }];
  }
}

function pieceOf(type: 'text' | 'reasoning', text: string | undefined): StreamPart[] {
  return text === undefined || text === '' ? [] : [{ type, text }];
}
