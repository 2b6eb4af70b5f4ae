import { describe, expect, test } from 'bun:test';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { encodeChatRequest } from './encode.ts';

const user = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'user', parts });
const text = (value: string): ContentPart => ({ type: 'text', text: value });
const encode = (request: Partial<ChatRequest>, model = 'claude-sonnet-4-5') =>
  encodeChatRequest({ messages: [user(text('hi'))], ...request }, { model, target: 'claude/x', stream: false });

describe('messages', () => {
  test('results of parallel calls stand together, before the text that follows them', () => {
    const { messages } = encode({
      messages: [
        user(text('weather?')),
        {
          role: 'assistant',
          parts: [
            text(''),
            { type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' },
            { type: 'tool-call', id: 'b', name: 'f', arguments: 'not JSON' },
            { type: 'tool-call', id: 'c', name: 'f', arguments: ' ' },
          ],
        },
        user({ type: 'tool-result', id: 'a', content: [text('21')] }),
        user({ type: 'tool-result', id: 'b', content: [], isError: true }, text('thanks')),
      ],
    });
    expect(messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'weather?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
          { type: 'tool_use', id: 'b', name: 'f', input: { arguments: 'not JSON' } },
          { type: 'tool_use', id: 'c', name: 'f', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: '21' },
          { type: 'tool_result', tool_use_id: 'b', content: '', is_error: true },
          { type: 'text', text: 'thanks' },
        ],
      },
    ]);
  });

  test('images, files, cache breakpoints and signed reasoning', () => {
    const { messages, system } = encode({
      messages: [
        { role: 'system', parts: [{ type: 'text', text: 'Keep it.', cache: { ttl: '1h' } }] },
        user(
          { type: 'image', url: 'data:image/png;base64,AAAA', cache: {} },
          { type: 'image', url: 'https://example.org/a.png' },
          { type: 'file', data: 'JVBERi0=', mediaType: 'application/pdf', name: 'gate.pdf' },
          { type: 'file', data: Buffer.from('関所').toString('base64'), mediaType: 'text/markdown' },
        ),
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'hm', signature: 'sig' },
            { type: 'reasoning', text: '', redacted: 'xxx' },
            { type: 'reasoning', text: 'unsigned' },
            text('ok'),
          ],
        },
      ],
    });
    expect(system).toEqual([{ type: 'text', text: 'Keep it.', cache_control: { type: 'ephemeral', ttl: '1h' } }]);
    expect(messages).toEqual([
      {
        role: 'user',
        content: [
          {
            type: 'image',
            source: { type: 'base64', media_type: 'image/png', data: 'AAAA' },
            cache_control: { type: 'ephemeral' },
          },
          { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' },
            title: 'gate.pdf',
          },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: '関所' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'sig' },
          { type: 'redacted_thinking', data: 'xxx' },
          { type: 'text', text: 'ok' },
        ],
      },
    ]);
  });
});

describe('fields', () => {
  test('tools, choice and serial calls', () => {
    const tools = [{ name: 'f', description: 'd', parameters: { properties: {} }, strict: true, cache: {} }];
    const made = encode({ tools, toolChoice: { type: 'required' }, parallelToolCalls: false });
    expect(made['tools']).toEqual([
      {
        name: 'f',
        description: 'd',
        input_schema: { type: 'object', properties: {} },
        strict: true,
        cache_control: { type: 'ephemeral' },
      },
    ]);
    expect(made['tool_choice']).toEqual({ type: 'any', disable_parallel_tool_use: true });
    expect(encode({ toolChoice: { type: 'auto' } })['tool_choice']).toBeUndefined();
    expect(encode({ tools, toolChoice: { type: 'tool', name: 'f' } })['tool_choice']).toEqual({
      type: 'tool',
      name: 'f',
    });
  });

  test('a schema is closed at every depth', () => {
    const schema = { type: 'object', properties: { a: { type: 'array', items: { type: 'object' } } } };
    expect(encode({ responseFormat: { type: 'json-schema', name: 'x', schema } })['output_config']).toEqual({
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          additionalProperties: false,
          properties: { a: { type: 'array', items: { type: 'object', additionalProperties: false } } },
        },
      },
    });
  });

  test('effort becomes a budget or an effort, as the model takes it', () => {
    const budget = encode({ reasoning: { effort: 'medium' } });
    expect(budget['thinking']).toEqual({ type: 'enabled', budget_tokens: 8192 });
    expect(Number(budget['max_tokens'])).toBeGreaterThan(8192);
    const adaptive = encode({ reasoning: { effort: 'xhigh' } }, 'claude-opus-4-6');
    expect(adaptive['thinking']).toEqual({ type: 'adaptive' });
    expect(adaptive['output_config']).toEqual({ effort: 'xhigh' });
    expect(encode({ reasoning: { effort: 'high' }, maxOutputTokens: 4096 })['thinking']).toEqual({
      type: 'enabled',
      budget_tokens: 4095,
    });
    expect(encode({ reasoning: { effort: 'none' } })['thinking']).toEqual({ type: 'disabled' });
  });

  test('everything that the wire cannot carry is named at once; hints are left out', () => {
    const refuse = () =>
      encode({
        seed: 1,
        presencePenalty: 0.5,
        frequencyPenalty: 0,
        temperature: 1.5,
        responseFormat: { type: 'json' },
        messages: [user({ type: 'audio', data: 'AA', format: 'wav' })],
        extra: { n: 2, metadata: { a: 'b' }, service_tier: 'auto' },
      });
    expect(refuse).toThrow(SekishoError);
    expect(refuse).toThrow(
      'route "claude/x" cannot carry: n, seed, presence_penalty, temperature above 1, response_format of type json_object, input_audio.',
    );
    expect(encode({ extra: { metadata: {}, store: true } })).not.toHaveProperty('metadata');
  });
});

test('what the wire cannot carry is left out by name where the call says so', () => {
  const told: string[] = [];
  const request = { messages: [user(text('hi'))], seed: 7, temperature: 1.5, topP: 0.5, extra: { logit_bias: {} } };
  const onUncarried = (names: readonly string[]): void => void told.push(...names);
  const made = encodeChatRequest(request, { model: 'm', target: 'claude/x', stream: false, onUncarried });
  expect(told).toEqual(['logit_bias', 'seed', 'temperature above 1']);
  expect(made).toEqual({
    model: 'm',
    max_tokens: 8_192,
    top_p: 0.5,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  });
});
