import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { SekishoError } from '../../spec/errors.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { argumentsOf, decodeFinish, reasoningOf, textOf } from './decode.ts';
import { findUsage } from './usage.ts';

/**
 * A decoder of chat completion chunks (platform.openai.com/docs/api-reference/chat-streaming); of several
 * choices only the first is followed.
 */
export function createChunkDecoder(target: string): EventDecoder {
  const calls = createCallPlaces();
  let started = false;
  let refused = false;

  return {
    isEnd: (data) => data === '[DONE]',
    decode(chunk) {
      const error = chunkError(chunk, target);
      if (error !== undefined) return [{ type: 'error', error }];
      const parts: StreamPart[] = [];
      if (!started) {
        started = true;
        parts.push({
          type: 'start',
          id: stringAt(chunk, 'id') ?? '',
          model: stringAt(chunk, 'model') ?? '',
          createdMs: (numberAt(chunk, 'created') ?? 0) * 1000,
        });
      }
      const choice =
        arrayAt(chunk, 'choices')
          .filter(isJsonObject)
          .find((each) => (numberAt(each, 'index') ?? 0) === 0) ?? {};
      const delta = objectAt(choice, 'delta') ?? {};
      const reasoning = reasoningOf(delta);
      if (reasoning !== '') parts.push({ type: 'reasoning', text: reasoning });
      const refusal = stringAt(delta, 'refusal') ?? '';
      refused ||= refusal !== '';
      const text = textOf(delta['content']) || refusal;
      if (text !== '') parts.push({ type: 'text', text });
      for (const call of arrayAt(delta, 'tool_calls').filter(isJsonObject)) parts.push(...calls.decode(call));
      const usage = findUsage(chunk);
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      const finish = stringAt(choice, 'finish_reason');
      if (finish) parts.push({ type: 'finish', finish: refused ? 'content-filter' : decodeFinish(finish) });
      return parts;
    },
  };
}

/** The error that a chunk reports in place of content, where it does. */
export function chunkError(chunk: JsonObject, target: string): SekishoError | undefined {
  const { error } = chunk;
  if (error !== undefined && error !== null && error !== false) return errorInAnswer(target, error);
  return chunk['object'] === 'error' ? errorInAnswer(target, chunk) : undefined;
}

/**
 * Gives each streamed tool call its place. A piece belongs to the call of its `index`; some upstreams send no
 * index, or the same one for every call, so a new id begins a new call.
 */
function createCallPlaces(): Pick<EventDecoder, 'decode'> {
  const known = new Map<number, { place: number; id: string }>();
  let count = 0;
  return {
    decode(piece) {
      const id = stringAt(piece, 'id') ?? '';
      const asked = objectAt(piece, 'function') ?? {};
      const index = numberAt(piece, 'index') ?? (id === '' ? count - 1 : count);
      let call = known.get(index);
      const parts: StreamPart[] = [];
      if (call === undefined || (id !== '' && call.id !== id)) {
        call = { place: count, id: id === '' ? `call_${count}` : id };
        count++;
        known.set(index, call);
        parts.push({ type: 'tool-call-start', index: call.place, id: call.id, name: stringAt(asked, 'name') ?? '' });
      }
      const written = argumentsOf(asked);
      if (written !== '') parts.push({ type: 'tool-call-delta', index: call.place, arguments: written });
      return parts;
    },
  };
}
