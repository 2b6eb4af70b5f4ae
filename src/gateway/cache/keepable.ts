import { isJsonObject, parseJson } from '../../lib/json.ts';
import type { ChatRequest, ChatResult, ContentPart } from '../../spec/chat.ts';

/**
 * Whether an answer may be given again: it came to its own end, says something, its tool arguments are JSON
 * objects, and where JSON was asked for it is JSON. Cut, filtered and broken answers are not.
 */
export function isKeepable(result: ChatResult, format: ChatRequest['responseFormat']): boolean {
  if (result.finish !== 'stop' && result.finish !== 'tool-calls') return false;
  const calls = result.parts.filter((part) => part.type === 'tool-call');
  if (!calls.every((call) => isJsonObject(parseJson(call.arguments)))) return false;
  const text = textOf(result.parts);
  if (calls.length > 0) return true;
  if (text.trim() === '') return false;
  return format === undefined || format.type === 'text' || parseJson(text) !== undefined;
}

function textOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
