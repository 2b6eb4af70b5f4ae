import { isJsonObject, parseJson } from '../../lib/json.ts';
import { parseSse, splitSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { brokenStream, createStreamEnding } from '../kit/stream-ending.ts';
import type { OpenStream } from '../kit/upstream.ts';
import { createEventDecoder } from './decode-event.ts';

const STOP_EVENT = Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n');

/** Events that metering must look at. Inside strings quotes are escaped, so text that speaks of them does not match. */
const TELLING = /"(?:message_start|message_delta|message_stop|error)"/;

/** Hands the events on as they came and reads only those that tell of usage, finish or an error. */
export async function* passThrough({ opened, target }: { opened: OpenStream; target: string }): AsyncGenerator<StreamFrame> {
  const ending = createStreamEnding(target);
  const decoder = createEventDecoder(target, Date.now);

  function told(data: string): StreamPart[] {
    const event = parseJson(data);
    if (!isJsonObject(event)) return [{ type: 'error', error: brokenStream(target, 'an event was not a JSON object') }];
    if (event['type'] === 'message_stop') {
      ending.done = true;
      opened.complete();
    }
    return decoder.decode(event);
  }

  function read(run: Buffer): StreamFrame {
    const parts: StreamPart[] = [];
    const passed: Uint8Array[] = [];
    for (const piece of splitSse(run)) {
      const data = TELLING.test(latin1(piece)) ? (parseSse(piece)[0]?.data ?? '') : '';
      const heard = data === '' ? [] : told(data);
      parts.push(...heard.filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error'));
      // The caller is told of an error in our words, once.
      if (heard.at(-1)?.type === 'error') break;
      passed.push(piece);
      if (ending.done) break;
    }
    return { bytes: passed.length === 1 && passed[0] ? passed[0] : Buffer.concat(passed), parts };
  }

  for await (const run of ending.guarded(opened.runs)) {
    if (!TELLING.test(latin1(run))) {
      yield { bytes: run, parts: [] };
      continue;
    }
    const frame = read(run);
    ending.see(frame.parts);
    yield frame;
    if (ending.broken) return;
    if (ending.done) break;
  }
  const last = ending.last();
  if (last !== undefined) yield { parts: [last] };
  // An upstream may finish its answer and close without the event that callers wait for.
  else if (!ending.done) yield { bytes: STOP_EVENT, parts: [] };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
