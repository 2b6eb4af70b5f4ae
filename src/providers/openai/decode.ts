import {
  arrayAt,
  isJsonObject,
  numberAt,
  objectAt,
  stringAt,
  type JsonObject,
  type JsonValue,
} from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../spec/chat.ts';
import { noUsage } from '../../spec/usage.ts';
import { findUsage } from './usage.ts';

/** The words of the wire for why an answer ended. */
export function decodeFinish(reason: string): FinishReason {
  switch (reason) {
    case 'stop':
    case 'eos':
      return 'stop';
    case 'length':
    case 'model_length':
      return 'length';
    case 'tool_calls':
    case 'function_call':
      return 'tool-calls';
    case 'content_filter':
      return 'content-filter';
    default:
      return 'other';
  }
}

/**
 * A chat completion; its first choice is the answer, which is what other dialects can carry. A refusal is
 * the text of an answer that a filter ended.
 */
export function decodeChatResult(body: JsonObject): ChatResult {
  const choice = arrayAt(body, 'choices').find(isJsonObject) ?? {};
  const message = objectAt(choice, 'message') ?? {};
  const parts: ContentPart[] = [];
  const reasoning = reasoningOf(message);
  if (reasoning !== '') parts.push({ type: 'reasoning', text: reasoning });
  const refusal = stringAt(message, 'refusal') ?? '';
  const text = textOf(message['content']) || refusal;
  if (text !== '') parts.push({ type: 'text', text });
  arrayAt(message, 'tool_calls')
    .filter(isJsonObject)
    .forEach((call, index) => {
      const asked = objectAt(call, 'function') ?? {};
      parts.push({
        type: 'tool-call',
        id: stringAt(call, 'id') || `call_${index}`,
        name: stringAt(asked, 'name') ?? '',
        arguments: argumentsOf(asked),
      });
    });
  return {
    id: stringAt(body, 'id') ?? '',
    model: stringAt(body, 'model') ?? '',
    createdMs: (numberAt(body, 'created') ?? 0) * 1000,
    parts,
    finish: refusal === '' ? decodeFinish(stringAt(choice, 'finish_reason') ?? 'stop') : 'content-filter',
    usage: findUsage(body) ?? noUsage(),
  };
}

/** The reasoning of a message or delta: `reasoning_content` (DeepSeek, vLLM), `reasoning` (Groq, OpenRouter), or parts (Mistral). */
export function reasoningOf(message: JsonObject): string {
  const plain = stringAt(message, 'reasoning_content') ?? stringAt(message, 'reasoning');
  if (plain !== undefined) return plain;
  return partsOf(message['content'])
    .map((part) => (part['type'] === 'thinking' ? textOf(part['thinking']) : ''))
    .join('');
}

/** The text of content: a string, or the text parts of a list. */
export function textOf(content: JsonValue | undefined): string {
  if (typeof content === 'string') return content;
  return partsOf(content)
    .map((part) => (part['type'] === 'text' ? (stringAt(part, 'text') ?? '') : ''))
    .join('');
}

/** The arguments of a call: JSON text; some upstreams send the object itself. */
export function argumentsOf(asked: JsonObject): string {
  const given = asked['arguments'];
  if (typeof given === 'string') return given;
  return isJsonObject(given) ? JSON.stringify(given) : '';
}

function partsOf(content: JsonValue | undefined): JsonObject[] {
  return Array.isArray(content) ? content.filter(isJsonObject) : [];
}
