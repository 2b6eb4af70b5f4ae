import { stringAt, type JsonObject } from '../../lib/json.ts';
import type { ContentPart, StreamPart } from '../../spec/chat.ts';
import { newId } from '../../spec/ids.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import { createPartDecoder, decodeFinish, firstCandidate, partsOf, refusalIn, type PartDecoder } from './decode.ts';
import { geminiErrorInAnswer } from './errors.ts';
import { findUsage } from './usage.ts';

/**
 * A decoder of the wire's chunks, each of which is an answer of its own with the next parts
 * (ai.google.dev/api/generate-content#method:-models.streamgeneratecontent). The wire has no terminator: a
 * stream is whole once it has given a reason for its end. Every chunk reports usage so far; the last one counts.
 */
export function createEventDecoder(options: { target: string; model: string; nowMs: () => number }): EventDecoder {
  const { target } = options;
  let decoder: PartDecoder | undefined;
  let written = 0;

  function streamed(part: ContentPart): StreamPart[] {
    switch (part.type) {
      case 'text':
        return [{ type: 'text', text: part.text }];
      case 'reasoning':
        return [
          { type: 'reasoning', text: part.text, ...(part.signature !== undefined && { signature: part.signature }) },
        ];
      case 'tool-call': {
        const index = written++;
        return [
          { type: 'tool-call-start', index, id: part.id, name: part.name },
          { type: 'tool-call-delta', index, arguments: part.arguments },
        ];
      }
      default:
        // A stream of the vocabulary has no word for pictures.
        return [];
    }
  }

  return {
    isEnd: () => false,
    decode(chunk) {
      const error = chunkError(chunk, target);
      if (error !== undefined) return [{ type: 'error', error }];
      const parts: StreamPart[] = [];
      if (decoder === undefined) {
        const createdMs = options.nowMs();
        const id = stringAt(chunk, 'responseId') ?? newId('gen', createdMs);
        decoder = createPartDecoder(id);
        parts.push({ type: 'start', id, model: stringAt(chunk, 'modelVersion') ?? options.model, createdMs });
      }
      const candidate = firstCandidate(chunk) ?? {};
      for (const part of partsOf(candidate)) parts.push(...decoder.decode(part).flatMap(streamed));
      const usage = findUsage(chunk);
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      const reason = stringAt(candidate, 'finishReason') ?? '';
      if (reason !== '') parts.push({ type: 'finish', finish: decodeFinish(reason, decoder.calls) });
      return parts;
    },
  };
}

function chunkError(chunk: JsonObject, target: string): ReturnType<typeof refusalIn> {
  const { error } = chunk;
  return error === undefined || error === null ? refusalIn(chunk, target) : geminiErrorInAnswer(target, error);
}
