import { describe, expect, test } from 'bun:test';
import { roads } from '../../../test/translation/open-stream.ts';

const event = (type: string, more: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const start = event('message_start', {
  message: {
    id: 'msg_1',
    model: 'claude-x',
    usage: { input_tokens: 10, cache_read_input_tokens: 30, cache_creation_input_tokens: 5, output_tokens: 1 },
  },
});
const block = (index: number, kind: object, ...deltas: object[]): string =>
  event('content_block_start', { index, content_block: kind }) +
  deltas.map((delta) => event('content_block_delta', { index, delta })).join('') +
  event('content_block_stop', { index });
const tool = (id: string): object => ({ type: 'tool_use', id, name: 'f', input: {} });
const end = event('message_delta', {
  delta: { stop_reason: 'tool_use' },
  usage: { output_tokens: 42, output_tokens_details: { thinking_tokens: 9 } },
});
const stop = event('message_stop');
const content =
  block(
    0,
    { type: 'thinking', thinking: '' },
    { type: 'thinking_delta', thinking: '思' },
    { type: 'signature_delta', signature: 's' },
  ) +
  event('ping') +
  block(1, { type: 'text', text: '' }, { type: 'text_delta', text: 'say "error" 🏯' }) +
  block(2, { type: 'server_tool_use', id: 'x', name: 'web_search', input: {} }) +
  block(
    3,
    tool('a'),
    { type: 'input_json_delta', partial_json: '{"x":' },
    { type: 'input_json_delta', partial_json: '1}' },
  ) +
  block(4, tool('b'));
const { decodeAnthropic: decode, passAnthropic: pass } = roads;
/** Packets in which no event is whole, so that each is a run of its own. */
const SMALL = { packetBytes: 20 };
const usage = {
  inputTokens: 45,
  outputTokens: 42,
  cachedInputTokens: 30,
  cacheWriteTokens: 5,
  reasoningTokens: 9,
  basis: 'reported' as const,
};

describe('translated', () => {
  test.each([1, 5, 10_000])('understands every block, in packets of %d bytes', async (packetBytes) => {
    const { parts } = await decode(start + content + end + stop, { packetBytes });
    expect(parts).toEqual([
      { type: 'start', id: 'msg_1', model: 'claude-x', createdMs: 7 },
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
    ]);
  });

  test('without message_stop it is whole once it has its reason', async () => {
    expect((await decode(start + end)).parts.at(-1)).toEqual({ type: 'finish', finish: 'tool-calls' });
    expect((await decode(start + end, { dies: new Error('reset') })).parts.at(-1)?.type).toBe('finish');
  });

  test.each([
    ['closes', {}],
    ['dies', { dies: new Error('reset') }],
  ])('an upstream that %s midway is one error, and the last part', async (_, options) => {
    const { parts } = await decode(start + block(0, { type: 'text', text: 'half' }), options);
    expect(parts.filter((part) => part.type === 'error')).toHaveLength(1);
    expect(parts.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('an error event is the end', async () => {
    const error = event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } });
    const { parts } = await decode(start + error + content, SMALL);
    expect(parts.map((part) => part.type)).toEqual(['start', 'error']);
    expect(parts[1]).toMatchObject({ error: { code: 'upstream_failed' } });
  });

  test('an event that is no JSON is an error', async () => {
    expect((await decode(`${start}data: {"broken"\n\n${content}`, SMALL)).parts.map((part) => part.type)).toEqual([
      'start',
      'error',
    ]);
  });
});

describe('passed through', () => {
  test.each([1, 5, 10_000])('hands on every byte, in packets of %d bytes', async (packetBytes) => {
    const text = start + content + end + stop;
    expect(await pass(text, { packetBytes })).toEqual({
      bytes: text,
      parts: [
        { type: 'usage', usage },
        { type: 'finish', finish: 'tool-calls' },
      ],
    });
  });

  test('an error event does not go out: the caller is told in our words', async () => {
    const seen = await pass(
      `${start}event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n`,
      SMALL,
    );
    expect(seen.bytes).toBe(start);
    expect(seen.parts.map((part) => part.type)).toEqual(['error']);
  });

  test('a missing end mark is added after a finish, never after a break', async () => {
    expect((await pass(start + end)).bytes).toBe(start + end + stop);
    expect((await pass(start + content)).bytes).toBe(start + content);
  });
});
