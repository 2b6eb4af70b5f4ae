import { expect, test } from 'bun:test';
import type { EventDecoder } from '../../src/providers/kit/decoding-reader.ts';
import { createEventDecoder } from '../../src/providers/anthropic/decode-event.ts';
import { passedDecoder } from '../../src/providers/kit/passed-decoder.ts';
import { createChunkDecoder } from '../../src/providers/openai/decode-chunk.ts';
import { createResponsesDecoder } from '../../src/providers/openai/forms/responses-decoder.ts';
import { recordedEvents } from '../support/fake-provider/recorded-answer.ts';
import { recordedResponse } from '../support/fake-provider/responses.ts';

const WITH_USAGE = { stream_options: { include_usage: true } };
const NAMES = ['plain', 'parallel-tools', 'thinking'] as const;

const STREAMS: [string, () => EventDecoder, (name: (typeof NAMES)[number]) => string[]][] = [
  ['openai', () => createChunkDecoder('t'), (name) => recordedEvents('openai', name, WITH_USAGE)],
  ['anthropic', () => createEventDecoder('t', () => 7), (name) => recordedEvents('anthropic', name, {})],
  ['openai-responses', () => createResponsesDecoder('t'), recordedResponse],
];

test.each(STREAMS)('%s: passed bytes are read the same in any runs of whole events', (_, create, eventsOf) => {
  for (const name of NAMES) {
    const events = eventsOf(name);
    const readIn = (runs: readonly string[]) => {
      const read = passedDecoder(create)();
      return runs.flatMap((run) => read(Buffer.from(run)));
    };
    const parts = readIn(events);
    expect(readIn([events.join('')])).toEqual(parts);
    expect(parts[0]?.type).toBe('start');
    expect(parts.map((part) => part.type)).toContain('usage');
    expect(parts.filter((part) => part.type === 'finish')).toHaveLength(1);
    const said = parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    if (name === 'plain') expect(said).toBe('The gate is open. 関所は開いています 🏯.');
    const calls = parts.filter((part) => part.type === 'tool-call-start');
    expect(calls.map((call) => call.index)).toEqual(name === 'parallel-tools' ? [0, 1] : []);
  }
});
