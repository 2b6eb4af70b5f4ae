import { describe, expect, test } from 'bun:test';
import type { ChatRequest } from '../../spec/chat.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { decodeFinish, decodeResult } from './decode.ts';
import { encodeChatRequest } from './encode.ts';

const ask = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'Open?' }] }],
  ...more,
});
const encode = (request: ChatRequest, model = 'llama3.2') =>
  encodeChatRequest(request, { model, target: 'o/m', stream: false });

describe('thinking', () => {
  test.each([
    ['qwen3:8b', { effort: 'high' }, true],
    ['qwen3:8b', { effort: 'none' }, false],
    ['qwen3:8b', { budgetTokens: 0 }, false],
    ['gpt-oss:20b', { effort: 'high' }, 'high'],
    ['hf.co/openai/gpt-oss-20b', { effort: 'minimal' }, 'low'],
    ['gpt-oss', { budgetTokens: 2_048 }, true],
  ] as const)('%p with %p is %p', (model, reasoning, think) => {
    expect(encode(ask({ reasoning }), model)['think']).toBe(think);
  });

  test('is left to the model where nobody asks', () => {
    expect(encode(ask())).toEqual({
      model: 'llama3.2',
      stream: false,
      messages: [{ role: 'user', content: 'Open?' }],
    });
  });
});

test('a choice of no tools is carried by naming none', () => {
  const tools = [{ name: 'f', parameters: {} }];
  expect(encode(ask({ tools, toolChoice: { type: 'none' } }))).not.toHaveProperty('tools');
  expect(encode(ask({ tools, toolChoice: { type: 'auto' } }))['tools']).toHaveLength(1);
});

test('what the caller puts in options comes before what is made of its words', () => {
  const extra = { options: { temperature: 0.1, mirostat: 1 } };
  expect(encode(ask({ temperature: 0.9, topK: 3, extra }))['options']).toEqual({
    temperature: 0.1,
    top_k: 3,
    mirostat: 1,
  });
});

test('all that it cannot carry is named at once', () => {
  const request = ask({
    messages: [{ role: 'user', parts: [{ type: 'image', url: 'https://pictures.example/a.png' }] }],
    tools: [{ name: 'f', parameters: {} }],
    toolChoice: { type: 'tool', name: 'f' },
    parallelToolCalls: false,
    extra: { logit_bias: {}, n: 1, store: true },
  });
  let thrown: SekishoError | undefined;
  try {
    encode(request);
  } catch (error) {
    thrown = error as SekishoError;
  }
  expect(thrown?.code).toBe('unsupported_parameter');
  expect(thrown?.values['parameters']).toBe('logit_bias, tool_choice, parallel_tool_calls, an image URL of this kind');
});

test.each([
  ['stop', 0, 'stop'],
  ['', 0, 'stop'],
  ['stop', 1, 'tool-calls'],
  ['length', 1, 'length'],
  ['unload', 0, 'other'],
] as const)('an end of %p with %p calls is %p', (reason, calls, finish) => {
  expect(decodeFinish(reason, calls)).toBe(finish);
});

test('calls without ids get ones of their own, the same each time they are read', () => {
  const call = { function: { name: 'f', arguments: { x: 1 } } };
  const body = { message: { content: '', tool_calls: [call, call] }, done: true, done_reason: 'stop' };
  const read = () => decodeResult(body, { id: 'a1', model: 'm', nowMs: 7 });
  const ids = read().parts.map((part) => (part.type === 'tool-call' ? part.id : ''));
  expect(new Set(ids).size).toBe(2);
  expect(read()).toEqual(read());
});
