import type { StreamFrame } from '../../ports/provider.ts';
import type { ChatResult, StreamPart } from '../../spec/chat.ts';

/** A whole answer as the frames of a stream, for upstreams that answer a wish for a stream in one piece. */
export async function* wholeAsFrames(result: ChatResult): AsyncGenerator<StreamFrame> {
  const parts: StreamPart[] = [{ type: 'start', id: result.id, model: result.model, createdMs: result.createdMs }];
  let index = 0;
  for (const part of result.parts) {
    if (part.type === 'text') parts.push({ type: 'text', text: part.text });
    else if (part.type === 'reasoning') {
      parts.push({
        type: 'reasoning',
        text: part.text,
        ...(part.signature !== undefined && { signature: part.signature }),
      });
    } else if (part.type === 'tool-call') {
      parts.push({ type: 'tool-call-start', index, id: part.id, name: part.name });
      parts.push({ type: 'tool-call-delta', index, arguments: part.arguments });
      index++;
    }
  }
  if (result.citations !== undefined) parts.push({ type: 'citations', citations: result.citations });
  parts.push({ type: 'usage', usage: result.usage }, { type: 'finish', finish: result.finish });
  yield await Promise.resolve({ parts });
}
