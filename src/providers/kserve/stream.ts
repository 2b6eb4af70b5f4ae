import { createSseFramer } from '../../lib/sse.ts';
import { stringAt } from '../../lib/json.ts';
import type { EventDecoder } from '../kit/decoding-reader.ts';
import type { EventFramer } from '../kit/event-source.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { createOutcome } from './outcome.ts';

const END = Buffer.from('event: end\ndata: {}\n\n');

/**
 * The wire has no terminator and gives no reason for an end: a stream is whole where its body was closed as
 * HTTP wants it. The framer says so with an event of its own, which a broken connection never reaches.
 */
export function createClosingFramer(): EventFramer {
  const framer = createSseFramer();
  let seen = false;
  return {
    push: (packet) => {
      const run = framer.push(packet);
      seen ||= run !== undefined;
      return run;
    },
    end: () => {
      const tail = framer.end();
      const told = tail === undefined ? END : Buffer.concat([tail, END]);
      const whole = seen || tail !== undefined;
      // A body ends once, however often it is asked.
      seen = false;
      return whole ? told : undefined;
    },
  };
}

/**
 * A decoder of `generate_stream`: each event holds the next piece of text_output. Where the model `tellsReason`
 * why it ended, a body that was closed without one is no whole answer.
 */
export function createTextDecoder(options: {
  target: string;
  model: string;
  id: string;
  nowMs: () => number;
  tellsReason?: boolean;
}): EventDecoder {
  const { target, model, id, nowMs, tellsReason = false } = options;
  const outcome = createOutcome();
  let begun = false;
  return {
    isEnd: () => false,
    decode(event, name) {
      if (name === 'end') return tellsReason ? [] : [{ type: 'finish', finish: 'stop' }];
      const { error } = event;
      if (error !== undefined && error !== null) return [{ type: 'error', error: errorInAnswer(target, error) }];
      const parts: StreamPart[] = [];
      if (!begun) parts.push({ type: 'start', id, model, createdMs: nowMs() });
      begun = true;
      const text = stringAt(event, 'text_output') ?? '';
      if (text !== '') parts.push({ type: 'text', text });
      outcome.add(event);
      const { usage, finish } = outcome;
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      if (finish !== undefined) parts.push({ type: 'finish', finish });
      return parts;
    },
  };
}
