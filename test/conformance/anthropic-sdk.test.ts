import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type Anthropic from '@anthropic-ai/sdk';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';
import { TEXT } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Is the gate open?' }];
const tools: Anthropic.Tool[] = [
  {
    name: 'get_weather',
    description: 'Weather of a city',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
];
const ROUTES = [
  { model: 'sonnet', wire: 'anthropic', ids: ['toolu_tokyo01', 'toolu_paris02'], usage: { input: 13, output: 14 } },
  { model: 'fast', wire: 'openai', ids: ['call_tokyo01', 'call_paris02'], usage: { input: 13, output: 13 } },
];

describe.each(ROUTES)('anthropic SDK -> $wire wire', ({ model, wire, ids, usage }) => {
  test('plain', async () => {
    const answer = await stage.anthropic.messages.create({ model, max_tokens: 100, system: 'Keep it.', messages });
    expect(answer.content.map((block) => (block.type === 'text' ? block.text : ''))).toEqual([TEXT]);
    expect(answer.stop_reason).toBe('end_turn');
    expect(answer.type).toBe('message');
    expect(answer.usage).toMatchObject({
      input_tokens: usage.input,
      output_tokens: usage.output,
      cache_read_input_tokens: 4,
    });
    const upstream = stage.upstream.requests[0];
    const credential = wire === 'anthropic' ? upstream?.headers['x-api-key'] : upstream?.headers['authorization'];
    expect(credential).toEndWith(CREDENTIAL);
    expect(JSON.stringify(upstream?.json)).toContain('Keep it.');
  });

  test('stream: events in the order of the wire, text and usage whole', async () => {
    const stream = stage.anthropic.messages.stream({ model, max_tokens: 100, messages });
    const types: string[] = [];
    stream.on('streamEvent', (event) => void types.push(event.type));
    const answer = await stream.finalMessage();
    expect(answer.content.map((block) => (block.type === 'text' ? block.text : ''))).toEqual([TEXT]);
    expect(answer.stop_reason).toBe('end_turn');
    expect(answer.usage.output_tokens).toBe(usage.output);
    expect(types[0]).toBe('message_start');
    expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop']);
    expect(types.filter((type) => type === 'message_stop')).toHaveLength(1);
  });

  test('parallel tools, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const ask = { model, max_tokens: 100, messages, tools };
    const plain = await stage.anthropic.messages.create(ask);
    const streamed = await stage.anthropic.messages.stream(ask).finalMessage();
    for (const answer of [plain, streamed]) {
      const uses = answer.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
      expect(uses.map((use) => use.id)).toEqual(ids);
      expect(uses.map((use) => use.input)).toEqual([
        { city: 'Tokyo', unit: 'celsius' },
        { city: 'Paris', unit: 'celsius' },
      ]);
      expect(answer.stop_reason).toBe('tool_use');
    }
  });

  test('the result of a tool sent back', async () => {
    const [id = ''] = ids;
    const answer = await stage.anthropic.messages.create({
      model,
      max_tokens: 100,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: [{ type: 'tool_use', id, name: 'get_weather', input: { city: 'Tokyo' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: '21 degrees' }] },
      ],
    });
    expect(answer.content.map((block) => (block.type === 'text' ? block.text : ''))).toEqual([TEXT]);
    const sent = JSON.stringify(stage.upstream.requests[0]?.json['messages']);
    expect(sent).toContain(wire === 'anthropic' ? `"tool_use_id":"${id}"` : `"tool_call_id":"${id}"`);
    expect(sent).toContain('21 degrees');
  });

  test('an abort by the SDK reaches the upstream', async () => {
    stage.upstream.script({ stall: { at: { events: 4 } } });
    const stream = await stage.anthropic.messages.create({ model, max_tokens: 100, messages, stream: true });
    for await (const event of stream) {
      if (event.type === 'content_block_delta' || event.type === 'content_block_start') stream.controller.abort();
    }
    await (
      await stage.upstream.request(0)
    ).aborted;
    expect(stage.upstream.aborts).toBe(1);
  });
});

describe('anthropic SDK -> anthropic wire only', () => {
  test('thinking with its signature, plain and streamed', async () => {
    const ask: Anthropic.MessageCreateParamsNonStreaming = {
      model: 'sonnet',
      max_tokens: 2000,
      messages,
      thinking: { type: 'enabled', budget_tokens: 1024 },
    };
    const plain = await stage.anthropic.messages.create(ask);
    const streamed = await stage.anthropic.messages.stream(ask).finalMessage();
    for (const answer of [plain, streamed]) {
      expect(answer.content[0]).toMatchObject({ type: 'thinking', thinking: 'Six times seven: 42.' });
      expect(answer.content[0]).toHaveProperty('signature', 'EqQBCgIYAhIkMTIzNDU2NzgtZmFrZS1zaWduYXR1cmUtZm9yLXRlc3Rz');
      expect(answer.content[1]).toMatchObject({ type: 'text', text: '6 x 7 = 42.' });
    }
  });

  test('beta headers, cache markers and unknown fields reach the upstream', async () => {
    await stage.anthropic.messages.create(
      {
        model: 'sonnet',
        max_tokens: 100,
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'long', cache_control: { type: 'ephemeral', ttl: '1h' } }] },
        ],
      },
      { headers: { 'anthropic-beta': 'context-1m-2025-08-07' } },
    );
    const upstream = stage.upstream.requests[0];
    expect(upstream?.headers['anthropic-beta']).toContain('context-1m-2025-08-07');
    expect(upstream?.body).toContain('"cache_control":{"type":"ephemeral","ttl":"1h"}');
  });
});
