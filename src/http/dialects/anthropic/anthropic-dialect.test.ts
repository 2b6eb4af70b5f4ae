import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../../lib/json.ts';
import { parseSse } from '../../../lib/sse.ts';
import type { StreamPart } from '../../../spec/chat.ts';
import { SekishoError } from '../../../spec/errors.ts';
import { noUsage } from '../../../spec/usage.ts';
import { anthropicDialect } from './anthropic-dialect.ts';

const context = { route: 'sonnet', request: {} };
const decode = (more: JsonObject) => anthropicDialect.decode({ model: 'm', max_tokens: 9, messages: [], ...more });
const usage = { ...noUsage('reported'), inputTokens: 17, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 5 };

describe('requests', () => {
  test('every word has its counterpart', () => {
    const source = { type: 'base64', media_type: 'image/png', data: 'AA' };
    const made = decode({
      system: [{ type: 'text', text: 'Keep it.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        { role: 'user', content: [{ type: 'image', source }] },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 's' },
            { type: 'redacted_thinking', data: 'x' },
            { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: '21', is_error: true }] },
      ],
      tools: [{ name: 'f', input_schema: { type: 'object' } }],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      stop_sequences: ['END'],
      thinking: { type: 'enabled', budget_tokens: 2048 },
      metadata: { user_id: 'u' },
      top_k: 3,
      container: 'c',
    });
    expect(made).toEqual({
      messages: [
        { role: 'system', parts: [{ type: 'text', text: 'Keep it.', cache: { ttl: '1h' } }] },
        { role: 'user', parts: [{ type: 'image', url: 'data:image/png;base64,AA' }] },
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'hm', signature: 's' },
            { type: 'reasoning', text: '', redacted: 'x' },
            { type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' },
          ],
        },
        {
          role: 'user',
          parts: [{ type: 'tool-result', id: 'a', content: [{ type: 'text', text: '21' }], isError: true }],
        },
      ],
      tools: [{ name: 'f', parameters: { type: 'object' } }],
      toolChoice: { type: 'required' },
      parallelToolCalls: false,
      reasoning: { budgetTokens: 2048 },
      maxOutputTokens: 9,
      topK: 3,
      stop: ['END'],
      endUser: 'u',
      extra: { container: 'c' },
    });
  });

  test.each([
    ['messages[0].role', { messages: [{ role: 'robot', content: '' }] }],
    [
      'messages[0].content[1].type',
      { messages: [{ role: 'user', content: [{ type: 'text', text: '' }, { type: 'video' }] }] },
    ],
    [
      'messages[0].content[0].source.type',
      { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'x' } }] }] },
    ],
    ['tools[0].input_schema', { tools: [{ name: 'f' }] }],
    ['tool_choice.type', { tool_choice: { type: 'some' } }],
    ['max_tokens', { max_tokens: 'many' }],
  ] as const)('a problem is told with its path: %s', (param, more) => {
    expect(() => decode(more as unknown as JsonObject)).toThrow(SekishoError);
    try {
      decode(more as unknown as JsonObject);
    } catch (thrown) {
      expect(thrown instanceof SekishoError && thrown.param).toBe(param);
    }
  });
});

describe('answers', () => {
  test('cached tokens stand beside the input, citations on the text', () => {
    const citation = { document_id: 'd', start: 1, end: 3, sentence: 'ab', title: 'D' };
    const made = anthropicDialect.encodeResult(
      {
        id: 'msg',
        model: '',
        createdMs: 0,
        parts: [
          { type: 'text', text: 'ab' },
          { type: 'tool-call', id: 'a', name: 'f', arguments: 'no JSON' },
        ],
        finish: 'tool-calls',
        usage,
        citations: [citation],
      },
      context,
    );
    expect(made).toMatchObject({
      model: 'sonnet',
      stop_reason: 'tool_use',
      usage: { input_tokens: 10, cache_read_input_tokens: 4, cache_creation_input_tokens: 3, output_tokens: 5 },
      content: [
        { type: 'text', citations: [{ type: 'char_location', cited_text: 'ab', start_char_index: 1, ...citation }] },
        { type: 'tool_use', input: { arguments: 'no JSON' } },
      ],
    });
  });

  test('a stream opens one block after another and closes each', () => {
    const parts: StreamPart[] = [
      { type: 'start', id: 'x', model: '', createdMs: 0 },
      { type: 'reasoning', text: 'hm' },
      { type: 'reasoning', text: '', signature: 's' },
      { type: 'reasoning', text: 'again' },
      { type: 'text', text: 'a\nb' },
      { type: 'tool-call-start', index: 0, id: 'a', name: 'f' },
      { type: 'tool-call-delta', index: 0, arguments: '{' },
      { type: 'tool-call-start', index: 1, id: 'b', name: 'f' },
      { type: 'tool-call-delta', index: 0, arguments: '}' },
      { type: 'usage', usage },
      { type: 'finish', finish: 'tool-calls' },
    ];
    const encoder = anthropicDialect.streamEncoder(context);
    const text = parts.map((part) => encoder.encode(part)).join('') + encoder.end();
    const events = parseSse(Buffer.from(text)).map(({ event = '', data }): JsonObject => ({
      ...(JSON.parse(data) as JsonObject),
      event,
    }));
    expect(events.every((each) => each['event'] === each['type'])).toBe(true);
    expect(events.map((each) => `${String(each['event'])} ${String(each['index'] ?? '')}`.trim())).toEqual([
      'message_start',
      'content_block_start 0',
      'content_block_delta 0',
      'content_block_delta 0',
      'content_block_stop 0',
      'content_block_start 1',
      'content_block_delta 1',
      'content_block_stop 1',
      'content_block_start 2',
      'content_block_delta 2',
      'content_block_stop 2',
      'content_block_start 3',
      'content_block_delta 3',
      'content_block_stop 3',
      'content_block_start 4',
      'content_block_delta 3',
      'content_block_stop 4',
      'message_delta',
      'message_stop',
    ]);
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: 'tool_use' },
      usage: { input_tokens: 10, output_tokens: 5 },
    });
  });
});

test('errors in both languages, by the names of the dialect', () => {
  const error = new SekishoError('rate_limited', { values: { limit: 'rpm', seconds: 3 } });
  expect(anthropicDialect.encodeError(error, 'ja', 'req_1')).toMatchObject({
    type: 'error',
    request_id: 'req_1',
    error: { type: 'rate_limit_error', code: 'rate_limited', message: expect.stringContaining('上限') },
  });
  expect(anthropicDialect.encodeStreamError(error, 'en', 'req_1')).toStartWith('event: error\ndata: {"type":"error"');
});
