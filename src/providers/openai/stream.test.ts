import { describe, expect, test } from 'bun:test';
import { roads } from '../../../test/translation/open-stream.ts';

const head = { id: 'c1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'm' };
const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
  `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;
const usageOnly = `data: ${JSON.stringify({ ...head, choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } })}\n\n`;
const done = 'data: [DONE]\n\n';
const call = (more: object, args = ''): object => ({
  tool_calls: [{ type: 'function', function: { name: 'f', arguments: args }, ...more }],
});
const { decodeOpenAi: decode, passOpenAi: pass } = roads;
const usage = {
  inputTokens: 5,
  outputTokens: 2,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  basis: 'reported' as const,
};

describe('translated', () => {
  test.each([1, 5, 10_000])('usage comes before finish, in packets of %d bytes', async (packetBytes) => {
    const text =
      chunk({ role: 'assistant', content: '' }) +
      chunk({ reasoning: 'hm' }) +
      chunk({ content: '関所' }) +
      chunk({}, 'stop');
    const { parts } = await decode(text + usageOnly + done, { packetBytes });
    expect(parts).toEqual([
      { type: 'start', id: 'c1', model: 'm', createdMs: 1_700_000_000_000 },
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: '関所' },
      { type: 'usage', usage },
      { type: 'finish', finish: 'stop' },
    ]);
  });

  test('usage is estimated from the text where none comes', async () => {
    const { parts } = await decode(chunk({ content: 'seven' }) + chunk({}, 'stop') + done);
    expect(parts.at(-2)).toMatchObject({ type: 'usage', usage: { basis: 'estimated', outputTokens: 5 } });
  });

  test.each([
    [
      'by index',
      [call({ index: 0, id: 'a' }), call({ index: 0 }, '1'), call({ index: 1, id: 'b' }), call({ index: 1 }, '2')],
    ],
    ['by one index and new ids', [call({ index: 0, id: 'a' }, '1'), call({ index: 0, id: 'b' }, '2')]],
    ['without an index', [call({ id: 'a' }, '1'), call({ id: 'b' }, '2')]],
    [
      'with the id repeated',
      [call({ index: 0, id: 'a' }), call({ index: 0, id: 'a' }, '1'), call({ index: 1, id: 'b' }, '2')],
    ],
  ])('parallel calls told apart %s', async (_, deltas) => {
    const { parts } = await decode(deltas.map((delta) => chunk(delta)).join('') + chunk({}, 'tool_calls') + done);
    const calls = parts.filter((part) => part.type === 'tool-call-start' || part.type === 'tool-call-delta');
    expect(calls).toEqual([
      { type: 'tool-call-start', index: 0, id: 'a', name: 'f' },
      { type: 'tool-call-delta', index: 0, arguments: '1' },
      { type: 'tool-call-start', index: 1, id: 'b', name: 'f' },
      { type: 'tool-call-delta', index: 1, arguments: '2' },
    ]);
  });

  test('content in parts, and a refusal', async () => {
    const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] };
    const text =
      chunk({ content: [thinking, { type: 'text', text: 'yes' }] }) + chunk({ refusal: 'no' }) + chunk({}, 'stop');
    const { parts } = await decode(text + done);
    expect(parts.slice(1, 4)).toEqual([
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'yes' },
      { type: 'text', text: 'no' },
    ]);
    expect(parts.at(-1)).toEqual({ type: 'finish', finish: 'content-filter' });
  });

  test('an error in the stream is the end, and tells what kind it was', async () => {
    const failed = `data: {"error":{"message":"slow down","type":"rate_limit_exceeded","code":429}}\n\n`;
    const { parts } = await decode(chunk({ content: 'a' }) + failed + chunk({ content: 'b' }) + done, {
      packetBytes: 20,
    });
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'error']);
    expect(parts.at(-1)).toMatchObject({ error: { code: 'upstream_rate_limited' } });
  });
});

describe('passed through', () => {
  const text = `: hello\n\n${chunk({ content: 'say "finish_reason":"stop", "usage":{' }, null, { usage: null })}${chunk({}, 'stop')}`;

  test.each([1, 7, 10_000])('hands on every byte, in packets of %d bytes', async (packetBytes) => {
    const whole = text + usageOnly + done;
    const seen = await pass(whole, {}, { packetBytes });
    expect(seen.bytes).toBe(whole);
    expect(seen.parts).toEqual([
      { type: 'finish', finish: 'stop' },
      { type: 'usage', usage },
    ]);
  });

  test.each([1, 7, 10_000])('hides the chunk of nothing but usage, and not a byte more (%d)', async (packetBytes) => {
    const seen = await pass(text + usageOnly + done, { usageChunk: 'hide' }, { packetBytes });
    expect(seen.bytes).toBe(text + done);
    expect(seen.parts).toHaveLength(2);
  });

  test('usage beside content stays', async () => {
    const last = chunk({}, 'stop', { usage: { prompt_tokens: 5, completion_tokens: 2 } });
    const groq = chunk({}, 'stop', { x_groq: { usage: { prompt_tokens: 5, completion_tokens: 2 } } });
    for (const each of [last, groq]) {
      const seen = await pass(each + done, { usageChunk: 'hide' });
      expect(seen.bytes).toBe(each + done);
      expect(seen.parts[0]).toEqual({ type: 'usage', usage });
    }
  });

  test('of several answers the stream is finished with the last', async () => {
    const other = `data: ${JSON.stringify({ ...head, choices: [{ index: 1, delta: {}, finish_reason: 'length' }] })}\n\n`;
    expect((await pass(chunk({}, 'stop'), { choices: 2 })).parts.map((part) => part.type)).toEqual(['error']);
    expect((await pass(chunk({}, 'stop') + other, { choices: 2 })).parts).toEqual([
      { type: 'finish', finish: 'length' },
    ]);
  });

  test('an error does not go out in the words of the upstream', async () => {
    const seen = await pass(
      `${chunk({ content: 'a' })}data: {"error":{"message":"secret"}}\n\n${done}`,
      {},
      { packetBytes: 20 },
    );
    expect(seen.bytes).toBe(chunk({ content: 'a' }));
    expect(seen.parts).toMatchObject([{ type: 'error', error: { code: 'upstream_failed' } }]);
    expect(seen.bytes).not.toContain('secret');
  });

  test('the end mark is added after a finish, never after a break', async () => {
    expect((await pass(chunk({}, 'stop'), {}, { dies: new Error('reset') })).bytes).toBe(chunk({}, 'stop') + done);
    const broken = await pass(chunk({ content: 'a' }), {}, { dies: new Error('reset') });
    expect(broken.bytes).not.toContain('[DONE]');
    expect(broken.parts).toMatchObject([{ type: 'error', error: { code: 'upstream_broken' } }]);
  });
});
