import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { parseSse, type SseEvent } from '../../lib/sse.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { Usage } from '../../spec/usage.ts';
import { isPing } from './bears-data.ts';
import { brokenStream, type ReadRun, type RunReader } from './run-reader.ts';

/** Translates the events of one stream, in their order. */
export interface EventDecoder {
  /** The parts of an event, which some wires name outside its data; an error part ends the stream. */
  decode(event: JsonObject, name?: string): StreamPart[];
  /** True for the data, and its parse where it is an object, that says the answer is complete. */
  isEnd(data: string, event: JsonObject | undefined): boolean;
}

/**
 * Reads runs into parts for callers of another dialect. Usage and finish are kept until the end, so that they
 * come last and in this order, whatever the order upstream. `estimate` gives the usage where none is
 * reported, from the text that was answered; `parse` reads a run of a wire that does not send server-sent events.
 */
export function createDecodingReader(
  target: string,
  decoder: EventDecoder,
  estimate: (answered: string) => Promise<Usage>,
  parse: (run: Buffer) => SseEvent[] = parseSse,
): RunReader {
  let answered = '';
  let usage: Usage | undefined;
  let finish: StreamPart | undefined;

  /** Keeps what comes last; gives what goes out now. */
  function sorted(part: StreamPart): StreamPart[] {
    if (part.type === 'usage') usage = part.usage;
    else if (part.type === 'finish') finish ??= part;
    else {
      if (part.type === 'text' || part.type === 'reasoning') answered += part.text;
      else if (part.type === 'tool-call-delta') answered += part.arguments;
      return [part];
    }
    return [];
  }

  function read(run: Buffer): ReadRun {
    const parts: StreamPart[] = [];
    for (const event of parse(run)) {
      if (event.data === '' || isPing(event)) continue;
      const json = parseJson(event.data);
      const object = isJsonObject(json) ? json : undefined;
      if (decoder.isEnd(event.data, object)) return { frame: { parts }, ended: true };
      if (object === undefined)
        parts.push({ type: 'error', error: brokenStream(target, 'an event was not a JSON object') });
      else for (const part of decoder.decode(object, event.event)) parts.push(...sorted(part));
      if (parts.at(-1)?.type === 'error') break;
    }
    return { frame: { parts }, ended: false };
  }

  return {
    read,
    get finished() {
      return finish !== undefined;
    },
    close: async () => ({
      parts: [
        { type: 'usage', usage: usage ?? (await estimate(answered)) },
        finish ?? { type: 'finish', finish: 'other' },
      ],
    }),
  };
}
