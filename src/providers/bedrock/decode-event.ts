import { numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { decodeFinish, refusalIn } from './decode.ts';
import { bedrockErrorInStream } from './errors.ts';
import { EXCEPTION } from './event-stream.ts';
import { decodeUsage } from './usage.ts';

/**
 * A decoder of the wire's events (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html),
 * which are known by their names. Tool calls are counted from 0 whatever the index of their block. Usage comes
 * after the reason for the end, as the last event.
 */
export function createEventDecoder(options: {
  target: string;
  id: string;
  model: string;
  nowMs: () => number;
}): EventDecoder {
  const { target } = options;
  const open = new Map<number, { place: number; written: boolean }>();
  let tools = 0;

  function startBlock(index: number, start: JsonObject): StreamPart[] {
    const call = objectAt(start, 'toolUse');
    if (call === undefined) return [];
    const place = tools++;
    open.set(index, { place, written: false });
    const id = stringAt(call, 'toolUseId') ?? '';
    return [{ type: 'tool-call-start', index: place, id, name: stringAt(call, 'name') ?? '' }];
  }

  function delta(index: number, piece: JsonObject): StreamPart[] {
    const text = stringAt(piece, 'text') ?? '';
    if (text !== '') return [{ type: 'text', text }];
    const reasoning = objectAt(piece, 'reasoningContent');
    if (reasoning !== undefined) {
      const signature = stringAt(reasoning, 'signature');
      const thought = stringAt(reasoning, 'text') ?? '';
      if (thought === '' && signature === undefined) return [];
      return [{ type: 'reasoning', text: thought, ...(signature !== undefined && { signature }) }];
    }
    const call = open.get(index);
    const json = stringAt(objectAt(piece, 'toolUse') ?? {}, 'input') ?? '';
    if (call === undefined || json === '') return [];
    call.written = true;
    return [{ type: 'tool-call-delta', index: call.place, arguments: json }];
  }

  /** A call without arguments is written as an empty object, which is what its reader will parse. */
  function stopBlock(index: number): StreamPart[] {
    const call = open.get(index);
    open.delete(index);
    return call === undefined || call.written ? [] : [{ type: 'tool-call-delta', index: call.place, arguments: '{}' }];
  }

  return {
    isEnd: () => false,
    decode(event, name = '') {
      if (name.startsWith(EXCEPTION)) {
        return [{ type: 'error', error: bedrockErrorInStream(target, name.slice(EXCEPTION.length), event) }];
      }
      const index = numberAt(event, 'contentBlockIndex') ?? 0;
      switch (name) {
        case 'messageStart':
          return [{ type: 'start', id: options.id, model: options.model, createdMs: options.nowMs() }];
        case 'contentBlockStart':
          return startBlock(index, objectAt(event, 'start') ?? {});
        case 'contentBlockDelta':
          return delta(index, objectAt(event, 'delta') ?? {});
        case 'contentBlockStop':
          return stopBlock(index);
        case 'messageStop': {
          const reason = stringAt(event, 'stopReason') ?? '';
          const error = refusalIn(reason, target);
          return error === undefined ? [{ type: 'finish', finish: decodeFinish(reason) }] : [{ type: 'error', error }];
        }
        case 'metadata': {
          const usage = objectAt(event, 'usage');
          return usage === undefined ? [] : [{ type: 'usage', usage: decodeUsage(usage) }];
        }
        default:
          return [];
      }
    },
  };
}
