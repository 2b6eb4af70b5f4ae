import { numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { Usage } from '../../spec/usage.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { decodeFinish } from './decode.ts';
import { decodeUsage } from './usage.ts';

/**
 * A decoder of the wire's events (docs.anthropic.com/en/docs/build-with-claude/streaming). Tool calls are
 * counted from 0 whatever the index of their block. Usage and finish come out together, with `message_delta`.
 */
export function createEventDecoder(target: string, nowMs: () => number): EventDecoder {
  let usage: Usage | undefined;
  let tools = 0;
  const open = new Map<number, { place: number; written: boolean }>();

  function startBlock(index: number, block: JsonObject): StreamPart[] {
    if (block['type'] === 'text') return textPart(stringAt(block, 'text'));
    if (block['type'] === 'thinking') return reasoningPart(stringAt(block, 'thinking'));
    if (block['type'] !== 'tool_use') return [];
    const place = tools++;
    const given = objectAt(block, 'input') ?? {};
    const written = Object.keys(given).length > 0;
    open.set(index, { place, written });
    const start: StreamPart = {
      type: 'tool-call-start',
      index: place,
      id: stringAt(block, 'id') ?? '',
      name: stringAt(block, 'name') ?? '',
    };
    return written ? [start, { type: 'tool-call-delta', index: place, arguments: JSON.stringify(given) }] : [start];
  }

  function delta(index: number, piece: JsonObject): StreamPart[] {
    switch (piece['type']) {
      case 'text_delta':
        return textPart(stringAt(piece, 'text'));
      case 'thinking_delta':
        return reasoningPart(stringAt(piece, 'thinking'));
      case 'signature_delta':
        return [{ type: 'reasoning', text: '', signature: stringAt(piece, 'signature') ?? '' }];
      case 'input_json_delta': {
        const call = open.get(index);
        const json = stringAt(piece, 'partial_json') ?? '';
        if (call === undefined || json === '') return [];
        call.written = true;
        return [{ type: 'tool-call-delta', index: call.place, arguments: json }];
      }
      default:
        return [];
    }
  }

  /** A call without arguments is written as an empty object, which is what its reader will parse. */
  function stopBlock(index: number): StreamPart[] {
    const call = open.get(index);
    open.delete(index);
    return call === undefined || call.written ? [] : [{ type: 'tool-call-delta', index: call.place, arguments: '{}' }];
  }

  return {
    isEnd: (_, event) => event?.['type'] === 'message_stop',
    decode(event) {
      const index = numberAt(event, 'index') ?? 0;
      switch (event['type']) {
        case 'message_start': {
          const message = objectAt(event, 'message') ?? {};
          const reported = objectAt(message, 'usage');
          if (reported !== undefined) usage = decodeUsage(reported);
          const id = stringAt(message, 'id') ?? '';
          return [{ type: 'start', id, model: stringAt(message, 'model') ?? '', createdMs: nowMs() }];
        }
        case 'content_block_start':
          return startBlock(index, objectAt(event, 'content_block') ?? {});
        case 'content_block_delta':
          return delta(index, objectAt(event, 'delta') ?? {});
        case 'content_block_stop':
          return stopBlock(index);
        case 'message_delta': {
          const reported = objectAt(event, 'usage');
          if (reported !== undefined) usage = decodeUsage(reported, usage);
          const reason = stringAt(objectAt(event, 'delta') ?? {}, 'stop_reason');
          if (reason === undefined) return [];
          const finish: StreamPart = { type: 'finish', finish: decodeFinish(reason) };
          return usage === undefined ? [finish] : [{ type: 'usage', usage }, finish];
        }
        case 'error':
          return [{ type: 'error', error: errorInAnswer(target, event['error'] ?? null) }];
        default:
          return [];
      }
    },
  };
}

function textPart(text: string | undefined): StreamPart[] {
  return text === undefined || text === '' ? [] : [{ type: 'text', text }];
}

function reasoningPart(text: string | undefined): StreamPart[] {
  return text === undefined || text === '' ? [] : [{ type: 'reasoning', text }];
}
