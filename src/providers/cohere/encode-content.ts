import type { JsonObject } from '../../lib/json.ts';
import type { ContentPart, Message, ToolResultPart } from '../../spec/chat.ts';
import { splitCallId } from '../kit/call-signature.ts';

/** Marks the text of a result that is a failure: the wire has no field for it. */
const FAILED = 'Error: ';

/**
 * The conversation in the words of the wire. Results of tools become messages of their own, which stand directly
 * behind the calls. What the model thought before its calls goes back as its plan; the wire takes no other.
 */
export function encodeMessages(messages: readonly Message[], unsupported: Set<string>): JsonObject[] {
  return messages.flatMap((message): JsonObject[] => {
    const results = message.parts.flatMap((part) =>
      part.type === 'tool-result' ? [encodeResult(part, unsupported)] : [],
    );
    const calls = message.parts.flatMap((part): JsonObject[] => {
      if (part.type !== 'tool-call') return [];
      const called = { name: part.name, arguments: part.arguments.trim() === '' ? '{}' : part.arguments };
      return [{ id: splitCallId(part.id).id, type: 'function', function: called }];
    });
    const content = message.parts.flatMap((part) => encodePart(part, unsupported));
    if (content.length === 0 && calls.length === 0) return results;
    const plan = calls.length === 0 ? '' : planOf(message.parts);
    return [
      ...results,
      {
        role: message.role,
        ...(content.length > 0 && { content }),
        ...(calls.length > 0 && { tool_calls: calls }),
        ...(plan !== '' && { tool_plan: plan }),
      },
    ];
  });
}

/** One part of a message; calls and results stand beside the content. */
function encodePart(part: ContentPart, unsupported: Set<string>): JsonObject[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }];
    case 'image': {
      const detail = part.detail === undefined ? {} : { detail: part.detail };
      return [{ type: 'image_url', image_url: { url: part.url, ...detail } }];
    }
    case 'file':
      unsupported.add('file');
      return [];
    case 'audio':
      unsupported.add('input_audio');
      return [];
    case 'reasoning':
    case 'tool-call':
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

function encodeResult(part: ToolResultPart, unsupported: Set<string>): JsonObject {
  for (const each of part.content) if (each.type !== 'text') unsupported.add(`${each.type} in a tool result`);
  const text = part.content.map((each) => (each.type === 'text' ? each.text : '')).join('');
  const content = part.isError === true && !/^error\b/i.test(text) ? FAILED + text : text;
  return { role: 'tool', tool_call_id: splitCallId(part.id).id, content };
}

/** Only unsigned thoughts: a signature belongs to another vendor, and so does what it signs. */
function planOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'reasoning' && part.signature === undefined ? part.text : '')).join('');
}
