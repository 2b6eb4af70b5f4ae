import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createEventDecoder } from '../../src/providers/cohere/decode-event.ts';
import { createDecodingReader } from '../../src/providers/kit/decoding-reader.ts';
import { createLineFramer, parseLines } from '../../src/providers/kit/json-lines.ts';
import { createTextDecoder, createClosingFramer } from '../../src/providers/kserve/stream.ts';
import { createLineDecoder } from '../../src/providers/ollama/decode-event.ts';
import { collect, estimate, type Packets } from './open-stream.ts';

const nowMs = (): number => 7;
const passages = [{ id: 'd1', title: 'Gate', content: 'At Hakone the gate is open.' }];
const usage = { cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0, basis: 'reported' as const };

const event = (type: string, more: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const delta = (type: string, message: object, index = 0): string => event(type, { index, delta: { message } });
const COHERE =
  event('message-start', { id: 'c1', delta: { message: { role: 'assistant' } } }) +
  delta('content-start', { content: { type: 'thinking', thinking: '' } }) +
  delta('content-delta', { content: { thinking: '思' } }) +
  delta('content-delta', { content: { text: 'the gate is open 🏯' } }, 1) +
  delta('citation-start', { citations: { start: 0, end: 16, text: 'the gate is open', sources: [{ id: 'd1' }] } }) +
  delta('tool-plan-delta', { tool_plan: 'I will look.' }) +
  delta('tool-call-start', { tool_calls: { id: 'f_1', type: 'function', function: { name: 'f', arguments: '' } } }) +
  delta('tool-call-delta', { tool_calls: { function: { arguments: '{"x":1}' } } }) +
  event('tool-call-end', { index: 0 }) +
  delta('tool-call-start', { tool_calls: { id: 'g_1', type: 'function', function: { name: 'g', arguments: '' } } }, 1) +
  event('tool-call-end', { index: 1 });
const COHERE_END = event('message-end', {
  delta: {
    finish_reason: 'TOOL_CALL',
    usage: { billed_units: { input_tokens: 5, output_tokens: 9 }, tokens: { input_tokens: 70, output_tokens: 12 } },
  },
});
const COHERE_PARTS = [
  { type: 'start', id: 'c1', model: 'm', createdMs: 7 },
  { type: 'reasoning', text: '思' },
  { type: 'text', text: 'the gate is open 🏯' },
  {
    type: 'citations',
    citations: [
      {
        document_id: 'd1',
        start: 10,
        end: 26,
        sentence: 'the gate is open',
        answer_start: 0,
        answer_end: 16,
        title: 'Gate',
      },
    ],
  },
  { type: 'reasoning', text: 'I will look.' },
  { type: 'tool-call-start', index: 0, id: 'f_1', name: 'f' },
  { type: 'tool-call-delta', index: 0, arguments: '{"x":1}' },
  { type: 'tool-call-start', index: 1, id: 'g_1', name: 'g' },
  { type: 'tool-call-delta', index: 1, arguments: '{}' },
  { type: 'usage', usage: { ...usage, inputTokens: 5, outputTokens: 9 } },
  { type: 'finish', finish: 'tool-calls' },
];

const line = (more: object): string => `${JSON.stringify({ model: 'llama', done: false, ...more })}\n`;
const said = (message: object): string => line({ message: { role: 'assistant', ...message } });
const OLLAMA =
  said({ content: '', thinking: '思' }) +
  said({ content: 'say "error" 🏯' }) +
  said({
    content: '',
    tool_calls: [{ function: { name: 'f', arguments: { x: 1 } } }, { id: 'native', function: { name: 'g' } }],
  });
const OLLAMA_END = line({
  message: { content: '' },
  done: true,
  done_reason: 'stop',
  prompt_eval_count: 3,
  eval_count: 4,
});
const OLLAMA_PARTS = [
  { type: 'start', id: 'a1', model: 'llama', createdMs: 7 },
  { type: 'reasoning', text: '思' },
  { type: 'text', text: 'say "error" 🏯' },
  { type: 'tool-call-start', index: 0, id: 'call_a1_0', name: 'f' },
  { type: 'tool-call-delta', index: 0, arguments: '{"x":1}' },
  { type: 'tool-call-start', index: 1, id: 'native', name: 'g' },
  { type: 'tool-call-delta', index: 1, arguments: '{}' },
  { type: 'usage', usage: { ...usage, inputTokens: 3, outputTokens: 4 } },
  { type: 'finish', finish: 'tool-calls' },
];

const KSERVE = [{ text_output: '関所' }, { text_output: ' is "open" 🏯' }]
  .map((each) => `data: ${JSON.stringify(each)}\n\n`)
  .join('');
const KSERVE_PARTS = [
  { type: 'start', id: 'k1', model: 'm', createdMs: 7 },
  { type: 'text', text: '関所' },
  { type: 'text', text: ' is "open" 🏯' },
  { type: 'usage', usage: { ...usage, basis: 'estimated', inputTokens: 0, outputTokens: 15 } },
  { type: 'finish', finish: 'stop' },
];

const wires = [
  {
    wire: 'cohere',
    content: COHERE,
    end: COHERE_END,
    parts: COHERE_PARTS,
    error: 'data: {"message":"too many requests: 429"}\n\n',
    read: (text: string, packets: Packets = {}) =>
      collect(
        text,
        packets,
        createDecodingReader('t', createEventDecoder({ target: 't', model: 'm', passages, nowMs }), estimate),
      ),
  },
  {
    wire: 'ollama',
    content: OLLAMA,
    end: OLLAMA_END,
    parts: OLLAMA_PARTS,
    error: '{"error":"429: too many"}\n',
    read: (text: string, packets: Packets = {}) =>
      collect(
        text,
        packets,
        createDecodingReader(
          't',
          createLineDecoder({ target: 't', model: 'm', newId: () => 'a1', nowMs }),
          estimate,
          parseLines,
        ),
        createLineFramer(),
      ),
  },
  {
    wire: 'kserve',
    content: KSERVE,
    end: '',
    parts: KSERVE_PARTS,
    error: 'data: {"error":"429: too many"}\n\n',
    read: (text: string, packets: Packets = {}) =>
      collect(
        text,
        packets,
        createDecodingReader('t', createTextDecoder({ target: 't', model: 'm', id: 'k1', nowMs }), estimate),
        createClosingFramer(),
      ),
  },
];

describe.each(wires)('$wire', ({ wire, content, end, parts, error, read }) => {
  test('is understood, cut at every byte', async () => {
    const length = Buffer.byteLength(content + end);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: length }), async (packetBytes) => {
        expect((await read(content + end, { packetBytes })).parts).toEqual(parts as never);
      }),
      { numRuns: 60, examples: [[1], [2], [3], [7]] },
    );
  });

  test('an upstream that dies midway is one error, and the last part', async () => {
    const seen = (await read(content, { dies: new Error('reset') })).parts;
    expect(seen.filter((part) => part.type === 'error')).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('an end that is missing is an error where the wire has one', async () => {
    const last = (await read(content)).parts.at(-1);
    if (wire === 'kserve') expect(last).toEqual({ type: 'finish', finish: 'stop' });
    else expect(last).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('an error midway is told, and is the end', async () => {
    const seen = (await read(content + error + end, { packetBytes: 9 })).parts;
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_rate_limited' } });
    expect(seen.filter((part) => part.type === 'finish')).toEqual([]);
  });
});

test('a last line without its line feed is taken where it is whole', async () => {
  const [, ollama] = wires;
  expect((await ollama?.read(OLLAMA + OLLAMA_END.trimEnd()))?.parts.at(-1)).toMatchObject({ type: 'finish' });
  expect((await ollama?.read(OLLAMA + OLLAMA_END.slice(0, -9)))?.parts.at(-1)).toMatchObject({ type: 'error' });
});
