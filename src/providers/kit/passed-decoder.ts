import { isJsonObject, parseJson } from '../../lib/json.ts';
import { parseSse } from '../../lib/sse.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { isPing } from './bears-data.ts';
import type { EventDecoder } from './decoding-reader.ts';

/**
 * Reads passed-through bytes, run by run, in the vocabulary. Made for whoever must know what a stream said; a
 * stream that nobody asks about is never parsed.
 */
export function passedDecoder(create: () => EventDecoder): () => (bytes: Uint8Array) => StreamPart[] {
  return () => {
    const decoder = create();
    return (bytes) =>
      parseSse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).flatMap((event) => {
        if (event.data === '' || isPing(event)) return [];
        const json = parseJson(event.data);
        return isJsonObject(json) ? decoder.decode(json, event.event) : [];
      });
  };
}
