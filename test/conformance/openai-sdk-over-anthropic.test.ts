import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type OpenAI from 'openai';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';
import { PARALLEL_USES, TEXT, WEATHER_TOOL, collectStream } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'system', content: 'You keep the gate.' },
  { role: 'user', content: 'Is the gate open?' },
];

describe('openai SDK -> anthropic wire', () => {
  test('plain: the system prompt, the default of max_tokens and the credential are as the wire wants them', async () => {
    const answer = await stage.openai.chat.completions.create({ model: 'sonnet', messages });
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.object).toBe('chat.completion');
    // 13 new and 4 read from the cache are the whole prompt.
    expect(answer.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 14, total_tokens: 31 });
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(4);
    const upstream = stage.upstream.requests[0];
    expect(upstream?.path).toBe('/v1/messages');
    expect(upstream?.headers['x-api-key']).toBe(CREDENTIAL);
    expect(upstream?.headers['authorization']).toBeUndefined();
    expect(upstream?.headers['anthropic-version']).toBe('2023-06-01');
    expect(JSON.stringify(upstream?.json['system'])).toContain('You keep the gate.');
    expect(upstream?.json['max_tokens']).toBeGreaterThan(0);
    expect(upstream?.json['messages']).toHaveLength(1);
  });

  test('stream, with usage only where asked for', async () => {
    const hidden = await collectStream(
      await stage.openai.chat.completions.create({ model: 'sonnet', messages, stream: true }),
    );
    expect(hidden).toMatchObject({ text: TEXT, finish: 'stop', finishes: 1, usage: undefined, emptyChunks: 0 });
    const shown = await collectStream(
      await stage.openai.chat.completions.create({
        model: 'sonnet',
        messages,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(shown.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 14, total_tokens: 31 });
    expect(shown.text).toBe(TEXT);
  });

  test('tools and the result of a tool sent back', async () => {
    const first = await stage.openai.chat.completions.create({ model: 'sonnet', messages, tools: [WEATHER_TOOL] });
    const answer = first.choices[0]?.message;
    expect(answer?.content).toBe('I will look.');
    expect(answer?.tool_calls).toEqual([PARALLEL_USES[0]].flatMap((call) => call ?? []));
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    expect(JSON.stringify(stage.upstream.requests[0]?.json['tools'])).toContain('"input_schema"');
    if (!answer) throw new Error('no message');
    const second = await stage.openai.chat.completions.create({
      model: 'sonnet',
      messages: [...messages, answer, { role: 'tool', tool_call_id: 'toolu_tokyo01', content: '{"celsius":21}' }],
      tools: [WEATHER_TOOL],
    });
    expect(second.choices[0]?.message.content).toBe(TEXT);
    const sent = JSON.stringify(stage.upstream.requests[1]?.json['messages']);
    expect(sent).toContain('"tool_use_id":"toolu_tokyo01"');
    expect(sent).toContain('"input":{"city":"Tokyo","unit":"celsius"}');
  });

  test('parallel tools keep order and index, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const ask = { model: 'sonnet', messages, tools: [WEATHER_TOOL], parallel_tool_calls: true };
    const plain = await stage.openai.chat.completions.create(ask);
    expect(plain.choices[0]?.message.tool_calls).toEqual(PARALLEL_USES);
    const seen = await collectStream(await stage.openai.chat.completions.create({ ...ask, stream: true }));
    expect(seen.calls).toEqual(PARALLEL_USES);
    expect(seen.finish).toBe('tool_calls');
  });

  test('vision parts become image blocks with the same base64', async () => {
    await stage.openai.chat.completions.create({
      model: 'sonnet',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
          ],
        },
      ],
    });
    expect(stage.upstream.requests[0]?.json['messages']).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
        ],
      },
    ]);
  });

  test('structured output is carried or refused, never dropped in silence', async () => {
    const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
    const call = stage.openai.chat.completions.create({
      model: 'sonnet',
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'gate', schema } },
    });
    const refused = await call.then(
      () => undefined,
      (error: unknown) => error,
    );
    const upstream = stage.upstream.requests[0];
    if (refused === undefined) expect(JSON.stringify(upstream?.json)).toContain('"required":["name"]');
    else expect(refused).toMatchObject({ status: 400, code: 'unsupported_parameter' });
  });

  test('fields that the wire cannot carry are refused by name', async () => {
    const message = await stage.openai.chat.completions
      .create({ model: 'sonnet', messages, logit_bias: { '50256': -100 } })
      .then(() => 'answered', String);
    expect(message).toContain('400');
    expect(message).toContain('logit_bias');
    expect(stage.upstream.requests).toHaveLength(0);
  });
});
