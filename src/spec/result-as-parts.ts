import type { ChatResult, StreamPart } from './chat.ts';

/** A whole answer as the parts of a stream, in their order. */
export function resultAsParts(result: ChatResult): StreamPart[] {
  const parts: StreamPart[] = [{ type: 'start', id: result.id, model: result.model, createdMs: result.createdMs }];
  let index = 0;
  for (const part of result.parts) {
    if (part.type === 'text') parts.push({ type: 'text', text: part.text });
    else if (part.type === 'reasoning') {
      const { text, signature } = part;
      parts.push({ type: 'reasoning', text, ...(signature !== undefined && { signature }) });
    } else if (part.type === 'tool-call') {
      parts.push({ type: 'tool-call-start', index, id: part.id, name: part.name });
      parts.push({ type: 'tool-call-delta', index, arguments: part.arguments });
      index++;
    }
  }
  if (result.citations !== undefined) parts.push({ type: 'citations', citations: result.citations });
  parts.push({ type: 'usage', usage: result.usage }, { type: 'finish', finish: result.finish });
  return parts;
}
