import { isJsonObject, parseJson } from '../../lib/json.ts';
import { parseSse, splitSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { isPing } from '../kit/bears-data.ts';
import { brokenStream, createStreamEnding } from '../kit/stream-ending.ts';
import type { EventRuns } from '../kit/upstream.ts';
import { createEventDecoder } from './decode-event.ts';

const STOP = 'message_stop';
const STOP_EVENT = Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n');

/** Events that metering must look at. Inside strings quotes are escaped, so text that speaks of them does not match. */
const TELLING = ['"message_start"', '"message_delta"', '"error"'];

export interface StreamReading {
  runs: EventRuns;
  target: string;
  nowMs: () => number;
}

/** Hands the events on as they came and looks only at those that tell of usage, finish or an error. */
export async function* passThrough({ runs, target, nowMs }: StreamReading): AsyncGenerator<StreamFrame> {
  const ending = createStreamEnding(target);
  const decoder = createEventDecoder(target, nowMs);
  for await (const run of ending.guarded(runs)) {
    if (run.includes(STOP)) ending.done ||= parseSse(run).some((event) => event.event === STOP || isStop(event.data));
    if (!TELLING.some((mark) => run.includes(mark))) {
      yield { bytes: run, parts: [] };
      continue;
    }
    const parts: StreamPart[] = [];
    const passed: Uint8Array[] = [];
    for (const piece of splitSse(run)) {
      const told = parseSse(piece).flatMap(({ data }) => {
        const event = TELLING.some((mark) => data.includes(mark)) ? parseJson(data) : undefined;
        return isJsonObject(event) ? decoder.decode(event) : [];
      });
      parts.push(...told.filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error'));
      // The caller is told of an error in our words, once.
      if (told.some((part) => part.type === 'error')) break;
      passed.push(piece);
    }
    ending.see(parts);
    yield ending.broken ? { bytes: Buffer.concat(passed), parts } : { bytes: run, parts };
    if (ending.broken) return;
  }
  const last = ending.last();
  if (last !== undefined) yield { parts: [last] };
  // An upstream may finish its answer and close without the event that callers wait for.
  else if (!ending.done) yield { bytes: STOP_EVENT, parts: [] };
}

/** Every event in the vocabulary, for callers of another dialect. */
export async function* decodeStream({ runs, target, nowMs }: StreamReading): AsyncGenerator<StreamFrame> {
  const ending = createStreamEnding(target);
  const decoder = createEventDecoder(target, nowMs);
  let finish: StreamPart | undefined;
  for await (const run of ending.guarded(runs)) {
    const parts: StreamPart[] = [];
    for (const event of parseSse(run)) {
      if (event.data === '' || isPing(event)) continue;
      const json = parseJson(event.data);
      if (!isJsonObject(json)) {
        parts.push({ type: 'error', error: brokenStream(target, 'an event was not JSON') });
        break;
      }
      if (json['type'] === STOP) ending.done = true;
      parts.push(...decoder.decode(json));
      if (parts.at(-1)?.type === 'error') break;
    }
    ending.see(parts);
    finish = parts.find((part) => part.type === 'finish') ?? finish;
    const now = parts.filter((part) => part.type !== 'finish');
    if (now.length > 0) yield { parts: now };
    if (ending.broken) return;
  }
  const last = ending.last();
  yield { parts: [last ?? finish ?? { type: 'finish', finish: 'other' }] };
}

function isStop(data: string): boolean {
  const event = parseJson(data);
  return isJsonObject(event) && event['type'] === STOP;
}
