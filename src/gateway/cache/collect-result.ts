import type { ChatResult, ContentPart, StreamPart, ToolCallPart } from '../../spec/chat.ts';
import { noUsage } from '../../spec/usage.ts';

/**
 * The whole answer that the parts of a stream add up to; undefined where they did not come to a good end, or
 * where a part belongs to nothing.
 */
export function collectResult(parts: readonly StreamPart[]): ChatResult | undefined {
  const result: ChatResult = { id: '', model: '', createdMs: 0, parts: [], finish: 'other', usage: noUsage() };
  const calls = new Map<number, ToolCallPart>();
  let finished = false;
  for (const part of parts) {
    if (part.type === 'start') {
      result.id ||= part.id;
      result.model ||= part.model;
      result.createdMs ||= part.createdMs;
    } else if (part.type === 'text') append(result.parts, { type: 'text', text: part.text });
    else if (part.type === 'reasoning') append(result.parts, part);
    else if (part.type === 'tool-call-start') {
      const call: ToolCallPart = { type: 'tool-call', id: part.id, name: part.name, arguments: '' };
      calls.set(part.index, call);
      result.parts.push(call);
    } else if (part.type === 'tool-call-delta') {
      const call = calls.get(part.index);
      if (call === undefined) return undefined;
      call.arguments += part.arguments;
    } else if (part.type === 'citations') result.citations = [...(result.citations ?? []), ...part.citations];
    else if (part.type === 'usage') result.usage = part.usage;
    else if (part.type === 'finish') {
      result.finish = part.finish;
      finished = true;
    } else return undefined;
  }
  return finished ? result : undefined;
}

/** Text goes on where the last part is of its kind; a signature ends a run of reasoning. */
function append(parts: ContentPart[], part: Extract<ContentPart, { type: 'text' | 'reasoning' }>): void {
  const last = parts.at(-1);
  if (last?.type === 'text' && part.type === 'text') last.text += part.text;
  else if (last?.type === 'reasoning' && part.type === 'reasoning' && last.signature === undefined) {
    last.text += part.text;
    if (part.signature !== undefined) last.signature = part.signature;
  } else parts.push({ ...part });
}
