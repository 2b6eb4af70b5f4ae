import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason, ToolCallPart } from '../../spec/chat.ts';
import { noUsage } from '../../spec/usage.ts';
import { findUsage } from './usage.ts';

/** The words of the wire for why an answer ended; it has none for calls, so `calls` tells how many there were. */
export function decodeFinish(reason: string, calls: number): FinishReason {
  if (reason === 'length') return 'length';
  if (calls > 0) return 'tool-calls';
  // Older servers give no reason.
  return reason === 'stop' || reason === '' ? 'stop' : 'other';
}

/** The calls of a message. Older servers give no ids: those are made of the answer's id and the call's place. */
export function decodeCalls(message: JsonObject, answerId: string, before: number): ToolCallPart[] {
  return arrayAt(message, 'tool_calls')
    .filter(isJsonObject)
    .map((call, place) => {
      const called = objectAt(call, 'function') ?? {};
      const given = called['arguments'] ?? {};
      return {
        type: 'tool-call',
        id: stringAt(call, 'id') || `call_${answerId}_${before + place}`,
        name: stringAt(called, 'name') ?? '',
        arguments: typeof given === 'string' ? given : JSON.stringify(given),
      };
    });
}

/** A whole answer in the vocabulary. */
export function decodeResult(body: JsonObject, options: { id: string; model: string; nowMs: number }): ChatResult {
  const message = objectAt(body, 'message') ?? {};
  const calls = decodeCalls(message, options.id, 0);
  const thinking = stringAt(message, 'thinking') ?? '';
  const text = stringAt(message, 'content') ?? '';
  const parts: ContentPart[] = [];
  if (thinking !== '') parts.push({ type: 'reasoning', text: thinking });
  if (text !== '') parts.push({ type: 'text', text });
  return {
    id: options.id,
    model: stringAt(body, 'model') ?? options.model,
    createdMs: options.nowMs,
    parts: [...parts, ...calls],
    finish: decodeFinish(stringAt(body, 'done_reason') ?? '', calls.length),
    usage: findUsage(body) ?? noUsage(),
  };
}
