import type { JsonObject } from '../../lib/json.ts';
import type { ContentPart, Message } from '../../spec/chat.ts';
import { argumentsObject } from '../kit/arguments-object.ts';
import { splitCallId } from '../kit/call-signature.ts';
import { inlineData } from '../kit/inline-data.ts';

/** Marks the text of a result that is a failure: the wire has no field for it. */
const FAILED = 'Error: ';

/**
 * The conversation in the words of the wire: text in one string, pictures beside it as base64. Results of tools
 * become messages of their own, which name the function and the call; older servers know only the name.
 */
export function encodeMessages(messages: readonly Message[], unsupported: Set<string>): JsonObject[] {
  const names = new Map<string, string>();
  for (const { parts } of messages)
    for (const part of parts) if (part.type === 'tool-call') names.set(part.id, part.name);
  return messages.flatMap((message): JsonObject[] => {
    const results = message.parts.flatMap((part): JsonObject[] => {
      if (part.type !== 'tool-result') return [];
      const { id } = splitCallId(part.id);
      const { text, images } = contentOf(part.content, unsupported);
      const content = part.isError === true && !/^error\b/i.test(text) ? FAILED + text : text;
      return [{ role: 'tool', tool_name: names.get(part.id) ?? id, tool_call_id: id, content, ...pictures(images) }];
    });
    const { text, images } = contentOf(message.parts, unsupported);
    const calls = message.parts.flatMap((part): JsonObject[] =>
      part.type === 'tool-call'
        ? [{ id: splitCallId(part.id).id, function: { name: part.name, arguments: argumentsObject(part.arguments) } }]
        : [],
    );
    if (text === '' && images.length === 0 && calls.length === 0) return results;
    const thinking = message.role === 'assistant' ? thoughtsOf(message.parts) : '';
    const own = { role: message.role, content: text, ...pictures(images), ...(thinking !== '' && { thinking }) };
    return [...results, { ...own, ...(calls.length > 0 && { tool_calls: calls }) }];
  });
}

function contentOf(parts: readonly ContentPart[], unsupported: Set<string>): { text: string; images: string[] } {
  const images: string[] = [];
  const texts: string[] = [];
  for (const part of parts) {
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'image') {
      const inline = inlineData(part.url);
      if (inline === undefined) unsupported.add('an image URL of this kind');
      else images.push(inline.data);
    } else if (part.type === 'file') unsupported.add('file');
    else if (part.type === 'audio') unsupported.add('input_audio');
  }
  return { text: texts.join('\n'), images };
}

function pictures(images: string[]): JsonObject {
  return images.length === 0 ? {} : { images };
}

/** Only unsigned thoughts: a signature belongs to another vendor, and so does what it signs. */
function thoughtsOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'reasoning' && part.signature === undefined ? part.text : '')).join('');
}
