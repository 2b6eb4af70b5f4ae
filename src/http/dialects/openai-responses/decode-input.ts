import { arrayAt, isJsonObject, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { ContentPart, Message, ToolResultPart } from '../../../spec/chat.ts';
import { pinOf } from '../pins.ts';
import { requireObject, requireString, wrong } from '../read-request.ts';
import { decodeContent, type Unknown } from './decode-content.ts';
import { openReasoning } from './sealed-reasoning.ts';

/**
 * The items of an input as messages. What one turn of the assistant consists of (reasoning, text, calls) comes
 * as neighbouring items and becomes one message; so do the results of its calls. Items that only the vendor
 * can read go to `unknown`.
 * @throws invalid_request with the path of the problem.
 */
export function decodeInput(input: JsonValue | undefined, unknown: Unknown): Message[] {
  if (typeof input === 'string') {
    return input === '' ? [] : [{ role: 'user', parts: [{ type: 'text', text: input }] }];
  }
  const messages: Message[] = [];
  (Array.isArray(input) ? input : []).forEach((value, index) => {
    const at = `input[${index}]`;
    const item = requireObject(value, at);
    const type = stringAt(item, 'type') ?? 'message';
    switch (type) {
      case 'message':
        return addMessage(messages, item, at, unknown);
      case 'reasoning':
        return addParts(messages, 'assistant', [decodeReasoning(item)]);
      case 'function_call':
        return addParts(messages, 'assistant', [decodeCall(item, at)]);
      case 'function_call_output':
        return addResult(messages, decodeOutput(item, at, unknown));
      case 'item_reference':
        // Nothing is kept here that an id could stand for.
        return void unknown.set(`${at} of type item_reference (send the item itself, with store: false)`, value);
      default:
        return void unknown.set(`${at} of type ${type.slice(0, 40)}`, value);
    }
  });
  return messages;
}

function addMessage(messages: Message[], item: JsonObject, at: string, unknown: Unknown): void {
  const role = requireString(item['role'], `${at}.role`);
  const parts = decodeContent(item['content'], `${at}.content`, unknown);
  if (role === 'assistant') addParts(messages, 'assistant', parts);
  else if (role === 'user') messages.push({ role, parts, ...pinOf(item) });
  else if (role === 'system' || role === 'developer') messages.push({ role: 'system', parts, ...pinOf(item) });
  else throw wrong(`${at}.role`, `"${role.slice(0, 40)}" is none of user, assistant, system, developer`);
}

function addParts(messages: Message[], role: 'assistant', parts: ContentPart[]): void {
  const last = messages.at(-1);
  if (last?.role === role) last.parts.push(...parts);
  else messages.push({ role, parts });
}

function addResult(messages: Message[], part: ToolResultPart): void {
  const last = messages.at(-1);
  if (last?.role === 'user' && last.parts.every((each) => each.type === 'tool-result')) last.parts.push(part);
  else messages.push({ role: 'user', parts: [part] });
}

function decodeCall(item: JsonObject, at: string): ContentPart {
  return {
    type: 'tool-call',
    id: requireString(item['call_id'], `${at}.call_id`),
    name: requireString(item['name'], `${at}.name`),
    arguments: requireString(item['arguments'], `${at}.arguments`),
  };
}

function decodeOutput(item: JsonObject, at: string, unknown: Unknown): ToolResultPart {
  return {
    type: 'tool-result',
    id: requireString(item['call_id'], `${at}.call_id`),
    content: decodeContent(item['output'], `${at}.output`, unknown),
    ...(item['status'] === 'incomplete' && { isError: true }),
  };
}

function decodeReasoning(item: JsonObject): ContentPart {
  const pieces = [...arrayAt(item, 'summary'), ...arrayAt(item, 'content')].filter(isJsonObject);
  const text = pieces.map((piece) => stringAt(piece, 'text') ?? '').join('\n\n');
  return openReasoning(text, stringAt(item, 'encrypted_content'));
}
