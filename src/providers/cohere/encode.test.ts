import { describe, expect, test } from 'bun:test';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { encodeChatRequest } from './encode.ts';

const user = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'user', parts });
const hello: ContentPart = { type: 'text', text: 'Hello' };
const encode = (request: Partial<ChatRequest>, onUncarried?: (names: readonly string[]) => void) =>
  encodeChatRequest(
    { messages: [user(hello)], ...request },
    { model: 'm', target: 't', stream: false, ...(onUncarried && { onUncarried }) },
  );
const tools = ['f', 'g'].map((name) => ({ name, parameters: { type: 'object' } }));

describe('the choice of a tool', () => {
  test('one tool is a list of it alone', () => {
    expect(encode({ tools, toolChoice: { type: 'tool', name: 'g' } })).toMatchObject({
      tools: [{ function: { name: 'g' } }],
      tool_choice: 'REQUIRED',
    });
  });

  test.each([
    ['auto', undefined],
    ['none', 'NONE'],
    ['required', 'REQUIRED'],
  ] as const)('%s', (type, said) => {
    const body = encode({ tools, toolChoice: { type } });
    expect(body['tool_choice']).toBe(said);
    expect(body['tools']).toHaveLength(2);
  });
});

test.each([
  [{ effort: 'none' }, { type: 'disabled' }],
  [{ effort: 'low' }, { type: 'enabled', token_budget: 1_024 }],
  [{ budgetTokens: 77 }, { type: 'enabled', token_budget: 77 }],
  [{ effort: 'unheard of' }, { type: 'enabled' }],
])('reasoning %j is %j', (reasoning, thinking) => {
  expect(encode({ reasoning })['thinking']).toEqual(thinking);
});

test('an id that carries the signature of another vendor goes without it', () => {
  const id = 'call_1__sig__AAAA';
  const call: ContentPart = { type: 'tool-call', id, name: 'f', arguments: '{}' };
  const result: ContentPart = { type: 'tool-result', id, content: [hello] };
  const body = encode({ messages: [{ role: 'assistant', parts: [call] }, user(result)] });
  expect(body['messages']).toMatchObject([{ tool_calls: [{ id: 'call_1' }] }, { tool_call_id: 'call_1' }]);
});

test('what the wire cannot carry is named, all of it, and the rest goes', () => {
  let names: readonly string[] = [];
  const body = encode(
    {
      messages: [user(hello, { type: 'audio', data: 'AA==', format: 'wav' })],
      tools,
      parallelToolCalls: false,
      frequencyPenalty: -0.5,
      extra: { logit_bias: { 1: 2 }, store: true, n: 1, safety_mode: 'STRICT' },
    },
    (told) => {
      names = told;
    },
  );
  expect([...names].sort()).toEqual(['frequency_penalty', 'input_audio', 'logit_bias', 'parallel_tool_calls']);
  expect(body).toMatchObject({ messages: [{ content: [hello] }], safety_mode: 'STRICT' });
  expect(Object.keys(body)).not.toContainAnyValues(['logit_bias', 'store', 'n', 'frequency_penalty']);
});
