import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { signedCallId } from '../kit/call-signature.ts';
import { encodeChatRequest } from './encode.ts';
import { wireCallId } from './encode-content.ts';
import { modelFamily } from './model-family.ts';

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const NOVA = 'amazon.nova-2-lite-v1:0';
const text = (value: string): ContentPart => ({ type: 'text', text: value });
const user = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'user', parts });
const model = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'assistant', parts });
const encode = (request: Partial<ChatRequest>, name = CLAUDE) =>
  encodeChatRequest({ messages: [user(text('hi'))], ...request }, { model: name, target: 'b/x' });
const fields = (request: Partial<ChatRequest>, name?: string) => encode(request, name)['additionalModelRequestFields'];
const tool = { name: 'f', description: 'd', parameters: { type: 'object', properties: { x: { type: 'number' } } } };
const call: ContentPart = { type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' };

describe('messages', () => {
  test('results of parallel calls stand together, before the text that came with them', () => {
    const { messages } = encode({
      tools: [tool],
      messages: [
        user(text('weather?')),
        model(
          text(' \n'),
          call,
          { type: 'tool-call', id: 'b', name: 'f', arguments: 'not JSON' },
          { type: 'tool-call', id: 'c', name: 'f', arguments: ' ' },
        ),
        user(text('thanks'), { type: 'tool-result', id: 'a', content: [text('21')] }),
        user({ type: 'tool-result', id: 'b', content: [], isError: true }),
        user({
          type: 'tool-result',
          id: 'c',
          content: [{ type: 'image', url: 'data:image/png;base64,AA==', cache: {} }],
        }),
      ],
    });
    expect(messages).toEqual([
      { role: 'user', content: [{ text: 'weather?' }] },
      {
        role: 'assistant',
        content: [
          { toolUse: { toolUseId: 'a', name: 'f', input: { x: 1 } } },
          { toolUse: { toolUseId: 'b', name: 'f', input: { arguments: 'not JSON' } } },
          { toolUse: { toolUseId: 'c', name: 'f', input: {} } },
        ],
      },
      {
        role: 'user',
        content: [
          { toolResult: { toolUseId: 'a', content: [{ text: '21' }] } },
          { toolResult: { toolUseId: 'b', content: [{ json: {} }], status: 'error' } },
          { toolResult: { toolUseId: 'c', content: [{ image: { format: 'png', source: { bytes: 'AA==' } } }] } },
          { text: 'thanks' },
        ],
      },
    ]);
  });

  test('media; documents have plain names, none twice', () => {
    const pdf = { type: 'file', data: 'JVBERi0=', mediaType: 'application/pdf' } as const;
    const { messages } = encode({
      messages: [
        user(
          { type: 'image', url: 'data:image/jpg;base64,AAAA' },
          { type: 'image', url: 's3://bucket/a.JPG' },
          { type: 'file', data: 'AAAA', mediaType: 'image/webp' },
          { ...pdf, name: '関所/gate_1  (a).pdf' },
          { ...pdf, name: 'gate 1 (a).pdf' },
          pdf,
          { type: 'file', data: 'AAAA', mediaType: 'text/x-log' },
          { type: 'audio', data: 'UklGRg==', format: 'wav' },
        ),
      ],
    });
    const document = (format: string, name: string, bytes: string): JsonObject => ({
      document: { format, name, source: { bytes } },
    });
    expect(messages).toEqual([
      {
        role: 'user',
        content: [
          { image: { format: 'jpeg', source: { bytes: 'AAAA' } } },
          { image: { format: 'jpeg', source: { s3Location: { uri: 's3://bucket/a.JPG' } } } },
          { image: { format: 'webp', source: { bytes: 'AAAA' } } },
          document('pdf', 'gate 1 (a)', 'JVBERi0='),
          document('pdf', 'gate 1 (a) 2', 'JVBERi0='),
          document('pdf', 'document', 'JVBERi0='),
          document('txt', 'document 2', 'AAAA'),
          { audio: { format: 'wav', source: { bytes: 'UklGRg==' } } },
        ],
      },
    ]);
  });

  test('reasoning goes back as it came, foreign and unsigned does not', () => {
    const { messages } = encode({
      messages: [
        model(
          { type: 'reasoning', text: 'hm', signature: 's' },
          { type: 'reasoning', text: '', redacted: 'AAAA' },
          { type: 'reasoning', text: 'foreign', signature: 'gemini:s' },
          { type: 'reasoning', text: 'unsigned' },
          { type: 'reasoning', text: 'unsigned in the dialect that has to say so', signature: '' },
        ),
      ],
    });
    expect(messages).toEqual([
      {
        role: 'assistant',
        content: [
          { reasoningContent: { reasoningText: { text: 'hm', signature: 's' } } },
          { reasoningContent: { redactedContent: 'AAAA' } },
        ],
      },
    ]);
  });

  test('ids of calls fit the wire, and a call and its result keep the same', () => {
    expect(wireCallId('toolu_01-a')).toBe('toolu_01-a');
    expect(wireCallId(signedCallId('call_r_0', 'c2ln'))).toBe('call_r_0');
    const long = 'x'.repeat(65);
    for (const id of [long, 'functions.f:0', '']) expect(wireCallId(id)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(wireCallId(long)).toBe(wireCallId(long));
    expect(wireCallId(long)).not.toBe(wireCallId(`${long}x`));
  });
});

describe('prompt cache', () => {
  const request: Partial<ChatRequest> = {
    tools: [{ ...tool, cache: {} }],
    messages: [
      { role: 'system', parts: [{ type: 'text', text: 'Keep it.', cache: { ttl: '1h' } }] },
      user({ type: 'text', text: 'a', cache: { ttl: '5m' } }, text('b')),
    ],
  };
  const point = { cachePoint: { type: 'default' } };

  test.each([CLAUDE, 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc'])('%s', (name) => {
    expect(encode(request, name)).toMatchObject({
      system: [{ text: 'Keep it.' }, { cachePoint: { type: 'default', ttl: '1h' } }],
      messages: [{ role: 'user', content: [{ text: 'a' }, point, { text: 'b' }] }],
      toolConfig: { tools: [{ toolSpec: { name: 'f' } }, point] },
    });
  });

  test('models that cache less, or nothing', () => {
    const told: string[] = [];
    const onUncarried = (parameters: readonly string[]): void => void told.push(...parameters);
    const made = encodeChatRequest({ messages: [], ...request }, { model: NOVA, target: 't', onUncarried });
    expect(made['system']).toEqual([{ text: 'Keep it.' }, point]);
    expect(made['toolConfig']).toMatchObject({ tools: [{ toolSpec: { name: 'f' } }] });
    expect(told).toEqual(['a prompt cache of one hour']);
    expect(JSON.stringify(encode(request, 'meta.llama4-scout-17b-instruct-v1:0'))).not.toContain('cachePoint');
  });
});

describe('configuration', () => {
  test('limits and sampling', () => {
    expect(encode({ maxOutputTokens: 9, temperature: 1, topP: 0.5, stop: ['END'] })).toMatchObject({
      inferenceConfig: { maxTokens: 9, temperature: 1, topP: 0.5, stopSequences: ['END'] },
    });
    expect(encode({})).toEqual({ messages: [{ role: 'user', content: [{ text: 'hi' }] }] });
  });

  test('a schema goes as text, with every object closed', () => {
    const schema = { type: 'object', properties: { a: { type: 'object' } } };
    const { outputConfig } = encode({ responseFormat: { type: 'json-schema', name: 'n', description: 'd', schema } });
    const closed = {
      type: 'object',
      properties: { a: { type: 'object', additionalProperties: false } },
      additionalProperties: false,
    };
    expect(outputConfig).toEqual({
      textFormat: {
        type: 'json_schema',
        structure: { jsonSchema: { name: 'n', description: 'd', schema: JSON.stringify(closed) } },
      },
    });
  });

  test.each<[string, Partial<ChatRequest>, JsonObject | undefined]>([
    [
      CLAUDE,
      { reasoning: { budgetTokens: 2_000 }, topK: 4 },
      { thinking: { type: 'enabled', budget_tokens: 2_000 }, top_k: 4 },
    ],
    [
      CLAUDE,
      { reasoning: { effort: 'low' }, maxOutputTokens: 1_500 },
      { thinking: { type: 'enabled', budget_tokens: 1_499 } },
    ],
    [CLAUDE, { reasoning: { effort: 'none' } }, { thinking: { type: 'disabled' } }],
    [
      'anthropic.claude-opus-4-8',
      { reasoning: { effort: 'high' } },
      { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
    ],
    [
      NOVA,
      { reasoning: { effort: 'xhigh' }, topK: 4 },
      { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'high' }, inferenceConfig: { topK: 4 } },
    ],
    [NOVA, { reasoning: { budgetTokens: 0 } }, { reasoningConfig: { type: 'disabled' } }],
    ['openai.gpt-oss-120b-1:0', { reasoning: { budgetTokens: 4_096 } }, { reasoning_effort: 'medium' }],
    ['openai.gpt-oss-120b-1:0', { reasoning: { effort: 'none' } }, { reasoning_effort: 'low' }],
    ['mistral.mistral-large-2407-v1:0', { topK: 4 }, { top_k: 4 }],
    ['meta.llama3-8b-instruct-v1:0', { reasoning: { effort: 'none' } }, undefined],
  ])('%s takes %j', (name, request, expected) => {
    expect(fields(request, name)).toEqual(expected);
  });

  test('the caller\u2019s own fields for the model come last', () => {
    expect(
      fields({ topK: 4, extra: { additionalModelRequestFields: { top_k: 5, x: 1 }, serviceTier: { type: 'flex' } } }),
    ).toEqual({ top_k: 5, x: 1 });
  });
});

describe('tools', () => {
  test('specifications', () => {
    expect(
      encode({
        tools: [
          { ...tool, strict: true },
          { name: 'g', description: '', parameters: {} },
        ],
      })['toolConfig'],
    ).toEqual({
      tools: [
        { toolSpec: { name: 'f', description: 'd', inputSchema: { json: tool.parameters }, strict: true } },
        { toolSpec: { name: 'g', inputSchema: { json: { type: 'object' } } } },
      ],
    });
  });

  test.each<[ChatRequest['toolChoice'], JsonObject | undefined]>([
    [{ type: 'auto' }, { auto: {} }],
    [{ type: 'required' }, { any: {} }],
    [{ type: 'tool', name: 'f' }, { tool: { name: 'f' } }],
    [undefined, undefined],
  ])('choice %p', (toolChoice, expected) => {
    const { toolConfig } = encode({ tools: [tool], ...(toolChoice && { toolChoice }) });
    expect(toolConfig).toEqual({ tools: [expect.anything()], ...(expected && { toolChoice: expected }) });
  });

  test('no choice: the tools are not offered; a conversation with calls gets one that is of no use', () => {
    expect(encode({ tools: [tool], toolChoice: { type: 'none' } })['toolConfig']).toBeUndefined();
    expect(encode({ messages: [model(call)] })['toolConfig']).toMatchObject({
      tools: [{ toolSpec: { name: 'no_tool' } }],
    });
  });
});

describe('what the wire cannot carry', () => {
  const request: Partial<ChatRequest> = {
    tools: [tool],
    toolChoice: { type: 'none' },
    parallelToolCalls: false,
    seed: 1,
    presencePenalty: 1,
    frequencyPenalty: 1,
    temperature: 1.5,
    topK: 4,
    reasoning: { effort: 'low' },
    responseFormat: { type: 'json' },
    messages: [
      { role: 'system', parts: [{ type: 'image', url: 'data:image/png;base64,AA==' }] },
      user({ type: 'image', url: 'data:image/tiff;base64,AA==' }, { type: 'image', url: 'gs://b/a.png' }),
      user({ type: 'file', data: '', mediaType: 'application/zip' }),
      model(call),
    ],
    extra: { n: 2, logit_bias: {}, metadata: {} },
  };
  const names = [
    'n',
    'logit_bias',
    'seed',
    'presence_penalty',
    'frequency_penalty',
    'temperature above 1',
    'response_format of type json_object',
    'parallel_tool_calls',
    'tool_choice none',
    'top_k',
    'reasoning',
    'image in a system message',
    'image of type image/tiff',
    'an image URL of this kind',
    'file of type application/zip',
  ];
  const llama = 'meta.llama3-8b-instruct-v1:0';

  test('is refused, all of it by name', () => {
    const made = (): JsonObject => encode(request, llama);
    expect(made).toThrow(SekishoError);
    expect(made).toThrow(names.join(', '));
  });

  test('or left out and reported, where the call says so', () => {
    const told: string[] = [];
    const onUncarried = (parameters: readonly string[]): void => void told.push(...parameters);
    encodeChatRequest({ messages: [], ...request }, { model: llama, target: 't', onUncarried });
    expect(told).toEqual(names);
  });
});

test('a budget that the answer leaves no room for is not half sent', () => {
  const told: string[] = [];
  const made = encodeChatRequest(
    { messages: [], reasoning: { effort: 'high' }, maxOutputTokens: 500 },
    { model: CLAUDE, target: 't', onUncarried: (parameters) => told.push(...parameters) },
  );
  expect(told).toEqual(['reasoning within 500 tokens']);
  expect(made['additionalModelRequestFields']).toBeUndefined();
});

test.each([
  ['anthropic.claude-3-haiku-20240307-v1:0', 'claude'],
  ['global.anthropic.claude-opus-4-8', 'claude'],
  ['arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0', 'claude'],
  ['eu.amazon.nova-pro-v1:0', 'nova'],
  ['openai.gpt-oss-20b-1:0', 'gpt-oss'],
  ['arn:aws:bedrock:us-east-1:1:provisioned-model/abc', 'unknown'],
  ['amazon.titan-text-express-v1', 'other'],
] as const)('%s is of %s', (name, family) => {
  expect(modelFamily(name)).toBe(family);
});
