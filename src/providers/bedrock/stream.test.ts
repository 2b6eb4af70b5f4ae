import { beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { eventMessage, exceptionMessage } from '../../../test/support/fake-provider/event-message.ts';
import { collect, estimate, type Packets } from '../../../test/translation/open-stream.ts';
import type { SseEvent } from '../../lib/sse.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { createEventDecoder } from './decode-event.ts';
import { createMessageFramer, loadMessageParser } from './event-stream.ts';

let parse: (run: Buffer) => SseEvent[];
beforeAll(async () => {
  parse = await loadMessageParser();
});
const decode = async (messages: readonly Uint8Array[], packets: Packets = {}): Promise<StreamPart[]> => {
  const decoder = createEventDecoder({ target: 't', id: 'gen_1', model: 'm', nowMs: () => 7 });
  const reader = createDecodingReader('t', decoder, estimate, parse);
  return (await collect(Buffer.concat(messages), packets, reader, createMessageFramer())).parts;
};

const start = eventMessage('messageStart', { role: 'assistant', p: 'abcdef' });
const delta = (index: number, piece: object): Buffer =>
  eventMessage('contentBlockDelta', { contentBlockIndex: index, delta: piece });
const stop = (index: number): Buffer => eventMessage('contentBlockStop', { contentBlockIndex: index });
const tool = (index: number, toolUseId: string): Buffer =>
  eventMessage('contentBlockStart', { contentBlockIndex: index, start: { toolUse: { toolUseId, name: 'f' } } });
const end = (stopReason: string): Buffer => eventMessage('messageStop', { stopReason });
const metadata = eventMessage('metadata', {
  usage: {
    inputTokens: 10,
    outputTokens: 42,
    totalTokens: 87,
    cacheReadInputTokens: 30,
    cacheWriteInputTokens: 5,
    cacheDetails: [
      { ttl: '1h', inputTokens: 3 },
      { ttl: '5m', inputTokens: 2 },
    ],
  },
  metrics: { latencyMs: 1 },
});
const usage = {
  inputTokens: 45,
  outputTokens: 42,
  cachedInputTokens: 30,
  cacheWriteTokens: 5,
  longCacheWriteTokens: 3,
  reasoningTokens: 0,
  basis: 'reported' as const,
};
const whole = [
  start,
  delta(0, { reasoningContent: { text: '思' } }),
  delta(0, { reasoningContent: { signature: 's' } }),
  delta(0, { reasoningContent: { redactedContent: 'AAAA' } }),
  stop(0),
  delta(1, { text: 'say "error" 🏯' }),
  eventMessage('somethingNew', {}),
  stop(1),
  tool(2, 'a'),
  delta(2, { toolUse: { input: '{"x":' } }),
  delta(2, { toolUse: { input: '1}' } }),
  stop(2),
  tool(3, 'b'),
  stop(3),
  end('tool_use'),
  metadata,
];
const expected: StreamPart[] = [
  { type: 'start', id: 'gen_1', model: 'm', createdMs: 7 },
  { type: 'reasoning', text: '思' },
  { type: 'reasoning', text: '', signature: 's' },
  { type: 'text', text: 'say "error" 🏯' },
  { type: 'tool-call-start', index: 0, id: 'a', name: 'f' },
  { type: 'tool-call-delta', index: 0, arguments: '{"x":' },
  { type: 'tool-call-delta', index: 0, arguments: '1}' },
  { type: 'tool-call-start', index: 1, id: 'b', name: 'f' },
  { type: 'tool-call-delta', index: 1, arguments: '{}' },
  { type: 'usage', usage },
  { type: 'finish', finish: 'tool-calls' },
];

test('is understood, cut at every byte', async () => {
  const { length } = Buffer.concat(whole);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: length }), async (packetBytes) => {
      expect(await decode(whole, { packetBytes })).toEqual(expected);
    }),
    { numRuns: 60, examples: [[1], [2], [11], [12], [13]] },
  );
});

describe('the framer', () => {
  test('hands on whole messages only, whatever the packets', () => {
    const bytes = Buffer.concat(whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 80 }), (sizes) => {
        const framer = createMessageFramer();
        const runs: Buffer[] = [];
        let at = 0;
        for (let turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          const run = framer.push(bytes.subarray(at, at + size));
          if (run !== undefined) runs.push(Buffer.from(run));
          at += size;
        }
        expect(Buffer.concat(runs).equals(bytes)).toBe(true);
        expect(runs.flatMap(parse)).toHaveLength(whole.length);
        expect(framer.end()).toBeUndefined();
      }),
    );
  });

  test('knows at once what is no event stream', () => {
    expect(() => createMessageFramer().push(Buffer.from('<html><body>Bad Gateway'))).toThrow(RangeError);
    const torn = Buffer.from(start);
    torn.writeUInt8(torn.readUInt8(3) + 1, 3);
    expect(() => createMessageFramer().push(torn)).toThrow(RangeError);
    const huge = Buffer.from(start);
    huge.writeUInt32BE(0x7fffffff, 0);
    huge.writeUInt32BE(Bun.hash.crc32(huge.subarray(0, 8)), 8);
    expect(() => createMessageFramer().push(huge)).toThrow(RangeError);
  });
});

test('a large message in small packets is put together once', () => {
  const text = 'x'.repeat(4_000_000);
  const bytes = delta(0, { text });
  const framer = createMessageFramer();
  let concats = 0;
  const concat = Buffer.concat;
  Buffer.concat = (list, length) => {
    concats++;
    return concat(list, length);
  };
  try {
    for (let at = 0; at < bytes.length; at += 1_000) framer.push(bytes.subarray(at, at + 1_000));
  } finally {
    Buffer.concat = concat;
  }
  expect(concats).toBeLessThan(5);
});

describe('the end', () => {
  const half = [start, delta(0, { text: 'half' })];

  test.each([
    ['closes', [], {}],
    ['closes within a message', [metadata.subarray(0, 30)], {}],
    ['dies', [], { dies: new Error('reset') }],
  ])('an upstream that %s without a reason is one error, and the last part', async (_, more, options) => {
    const parts = await decode([...half, ...more], options);
    expect(parts.filter((part) => part.type === 'error')).toHaveLength(1);
    expect(parts.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('an upstream that dies after its reason has answered; what it did not count is estimated', async () => {
    const parts = await decode([...half, end('end_turn')], { dies: new Error('reset') });
    expect(parts.slice(-2)).toMatchObject([
      { type: 'usage', usage: { basis: 'estimated', outputTokens: 4 } },
      { type: 'finish', finish: 'stop' },
    ]);
  });

  test.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['guardrail_intervened', 'content-filter'],
    ['content_filtered', 'content-filter'],
    ['something_new', 'other'],
  ] as const)('%s is %s', async (reason, finish) => {
    expect((await decode([...half, end(reason), metadata])).at(-1)).toEqual({ type: 'finish', finish });
  });

  test('a call that the model did not manage is no answer', async () => {
    const parts = await decode([...half, end('malformed_tool_use'), metadata], { packetBytes: 50 });
    expect(parts.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test.each([
    ['throttlingException', 'slow down', 'upstream_rate_limited'],
    ['modelStreamErrorException', 'oops', 'upstream_failed'],
    ['modelTimeoutException', 'late', 'upstream_timeout'],
    ['internalServerException', 'oops', 'upstream_failed'],
    ['serviceUnavailableException', 'oops', 'upstream_failed'],
    ['validationException', 'Input is too long for requested model.', 'context_too_long'],
    ['validationException', 'bad', 'upstream_rejected'],
    ['somethingNewException', 'what', 'upstream_failed'],
  ] as const)('%s (%s) midway is the end', async (name, message, code) => {
    const parts = await decode([...half, exceptionMessage(name, { message }), ...whole], { packetBytes: 50 });
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'error']);
    expect(parts.at(-1)).toMatchObject({ error: { code } });
  });

  test('an exception in place of an answer refuses before anything has gone out', async () => {
    const thrown: unknown = await decode([exceptionMessage('throttlingException', { message: 'x' })]).catch(
      (error: unknown) => error,
    );
    expect(thrown).toMatchObject({ code: 'upstream_rate_limited' });
  });

  test('a damaged message is an error, also as the first', async () => {
    const damaged = Buffer.from(delta(0, { text: 'half' }));
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 8) ^ 1, damaged.length - 8);
    const parts = await decode([start, damaged, ...whole], { packetBytes: 50 });
    expect(parts.map((part) => part.type)).toEqual(['start', 'error']);
    expect(parts.at(-1)).toMatchObject({ error: { code: 'upstream_broken' } });
    const thrown: unknown = await decode([damaged]).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'upstream_broken' });
  });
});
