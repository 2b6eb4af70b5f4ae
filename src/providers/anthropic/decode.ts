import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../spec/chat.ts';
import { noUsage } from '../../spec/usage.ts';
import { decodeUsage } from './usage.ts';

/** The words of the wire for why an answer ended. */
export function decodeFinish(reason: string): FinishReason {
  switch (reason) {
    case 'end_turn':
    case 'stop_sequence':
      return 'stop';
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'tool_use':
      return 'tool-calls';
    case 'refusal':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** A message in the vocabulary. Blocks of the vendor's own tools have no word in it and are left out. */
export function decodeMessage(body: JsonObject, nowMs: number): ChatResult {
  const usage = objectAt(body, 'usage');
  return {
    id: stringAt(body, 'id') ?? '',
    model: stringAt(body, 'model') ?? '',
    createdMs: nowMs,
    parts: arrayAt(body, 'content').filter(isJsonObject).flatMap(decodeBlock),
    finish: decodeFinish(stringAt(body, 'stop_reason') ?? ''),
    usage: usage === undefined ? noUsage() : decodeUsage(usage),
  };
}

function decodeBlock(block: JsonObject): ContentPart[] {
  switch (block['type']) {
    case 'text':
      return [{ type: 'text', text: stringAt(block, 'text') ?? '' }];
    case 'thinking': {
      const signature = stringAt(block, 'signature');
      return [
        { type: 'reasoning', text: stringAt(block, 'thinking') ?? '', ...(signature !== undefined && { signature }) },
      ];
    }
    case 'redacted_thinking':
      return [{ type: 'reasoning', text: '', redacted: stringAt(block, 'data') ?? '' }];
    case 'tool_use':
      return [
        {
          type: 'tool-call',
          id: stringAt(block, 'id') ?? '',
          name: stringAt(block, 'name') ?? '',
          arguments: JSON.stringify(block['input'] ?? {}),
        },
      ];
    default:
      return [];
  }
}
