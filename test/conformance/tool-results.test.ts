import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } };
const uses = ['a', 'b'].map((id) => ({ type: 'tool_use', id, name: 'look', input: {} }));

test('anthropic dialect -> openai wire: pictures and failures of tools are carried, each with its call', async () => {
  const response = await stage.post('/v1/messages', {
    model: 'fast',
    max_tokens: 50,
    messages: [
      { role: 'user', content: 'Look twice.' },
      { role: 'assistant', content: uses },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'A gate.' }, image] },
          { type: 'tool_result', tool_use_id: 'b', content: 'The lamp is out.', is_error: true },
          { type: 'text', text: 'Well?' },
        ],
      },
    ],
  });
  expect(response.status).toBe(200);
  expect(stage.upstream.requests[0]?.json['messages']).toEqual([
    { role: 'user', content: 'Look twice.' },
    {
      role: 'assistant',
      content: null,
      tool_calls: ['a', 'b'].map((id) => ({ id, type: 'function', function: { name: 'look', arguments: '{}' } })),
    },
    {
      role: 'tool',
      tool_call_id: 'a',
      content: 'A gate.\nThe other content of this result follows in the next message of the user.',
    },
    { role: 'tool', tool_call_id: 'b', content: 'Error: The lamp is out.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Content of the result of the tool call a:' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
        { type: 'text', text: 'Well?' },
      ],
    },
  ]);
});

test('responses dialect -> anthropic wire: a picture in the output of a function stays in the result', async () => {
  const response = await stage.post('/v1/responses', {
    model: 'sonnet',
    input: [
      { role: 'user', content: 'Look.' },
      { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' },
      {
        type: 'function_call_output',
        call_id: 'a',
        output: [
          { type: 'input_text', text: 'A gate.' },
          { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'auto' },
        ],
      },
    ],
  });
  expect(response.status).toBe(200);
  expect(stage.upstream.requests[0]?.json['messages']).toMatchObject([
    { role: 'user' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'look', input: {} }] },
    {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'A gate.' }, image] }],
    },
  ]);
});
