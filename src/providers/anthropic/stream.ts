import { isJsonObject, parseJson } from '../../lib/json.ts';
import { parseSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { Usage } from '../../spec/usage.ts';
import { isPing } from '../kit/bears-data.ts';
import { brokenStream, createStreamEnding } from '../kit/stream-ending.ts';
import type { OpenStream } from '../kit/upstream.ts';
import { createEventDecoder } from './decode-event.ts';

export interface StreamReading {
  opened: OpenStream;
  target: string;
  nowMs: () => number;
  /** The usage where the upstream reports none, from the text that it answered. */
  estimate: (answered: string) => Promise<Usage>;
}

/** Every event in the vocabulary, for callers of another dialect. */
export async function* decodeStream({ opened, target, nowMs, estimate }: StreamReading): AsyncGenerator<StreamFrame> {
  const ending = createStreamEnding(target);
  const decoder = createEventDecoder(target, nowMs);
  let answered = '';
  let counted = false;
  let finish: StreamPart | undefined;
  for await (const run of ending.guarded(opened.runs)) {
    const parts: StreamPart[] = [];
    for (const event of parseSse(run)) {
      if (event.data === '' || isPing(event)) continue;
      const json = parseJson(event.data);
      if (isJsonObject(json)) parts.push(...decoder.decode(json));
      else parts.push({ type: 'error', error: brokenStream(target, 'an event was not a JSON object') });
      if (parts.at(-1)?.type === 'error') break;
      if (isJsonObject(json) && json['type'] === 'message_stop') {
        ending.done = true;
        opened.complete();
        break;
      }
    }
    ending.see(parts);
    finish ??= parts.find((part) => part.type === 'finish');
    const now = parts.filter((part) => part.type !== 'finish');
    for (const part of now) {
      if (part.type === 'text' || part.type === 'reasoning') answered += part.text;
      else if (part.type === 'tool-call-delta') answered += part.arguments;
      else if (part.type === 'usage') counted = true;
    }
    if (now.length > 0) yield { parts: now };
    if (ending.broken) return;
    if (ending.done) break;
  }
  const last = ending.last();
  if (last !== undefined) yield { parts: [last] };
  else {
    const usage: StreamPart[] = counted ? [] : [{ type: 'usage', usage: await estimate(answered) }];
    yield { parts: [...usage, finish ?? { type: 'finish', finish: 'other' }] };
  }
}
