import { objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { decodeCalls, decodeFinish } from './decode.ts';
import { findUsage } from './usage.ts';

/** A decoder of the wire's lines: each holds the next piece of the message, the one that is `done` the counts. */
export function createLineDecoder(options: {
  target: string;
  model: string;
  newId: () => string;
  nowMs: () => number;
}): EventDecoder {
  const id = options.newId();
  let begun = false;
  let calls = 0;

  return {
    isEnd: () => false,
    decode(line) {
      const { error } = line;
      if (error !== undefined && error !== null)
        return [{ type: 'error', error: errorInAnswer(options.target, error) }];
      const parts: StreamPart[] = [];
      if (!begun) {
        begun = true;
        const model = stringAt(line, 'model') ?? options.model;
        parts.push({ type: 'start', id, model, createdMs: options.nowMs() });
      }
      parts.push(...messageParts(objectAt(line, 'message') ?? {}));
      if (line['done'] !== true) return parts;
      const usage = findUsage(line);
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      parts.push({ type: 'finish', finish: decodeFinish(stringAt(line, 'done_reason') ?? '', calls) });
      return parts;
    },
  };

  function messageParts(message: JsonObject): StreamPart[] {
    const parts: StreamPart[] = [];
    const thinking = stringAt(message, 'thinking') ?? '';
    const text = stringAt(message, 'content') ?? '';
    if (thinking !== '') parts.push({ type: 'reasoning', text: thinking });
    if (text !== '') parts.push({ type: 'text', text });
    for (const call of decodeCalls(message, id, calls)) {
      const index = calls++;
      parts.push({ type: 'tool-call-start', index, id: call.id, name: call.name });
      parts.push({ type: 'tool-call-delta', index, arguments: call.arguments });
    }
    return parts;
  }
}
