import { describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../lib/json.ts';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { markSignature, signedCallId } from '../kit/call-signature.ts';
import { encodeChatRequest } from './encode.ts';
import { modelPath } from './model-name.ts';

const text = (value: string): ContentPart => ({ type: 'text', text: value });
const user = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'user', parts });
const model = (...parts: ContentPart[]): ChatRequest['messages'][number] => ({ role: 'assistant', parts });
const encode = (request: Partial<ChatRequest>, name = 'gemini-2.5-flash') =>
  encodeChatRequest({ messages: [user(text('hi'))], ...request }, { model: name, target: 'g/x' });
const config = (request: Partial<ChatRequest>, name?: string) => encode(request, name)['generationConfig'];
const tool = { name: 'f', description: 'd', parameters: { type: 'object', properties: { x: { type: 'number' } } } };

describe('contents', () => {
  test('system messages become the instruction, neighbours of one role one content', () => {
    expect(
      encode({
        messages: [
          { role: 'system', parts: [text('Be brief.')] },
          user(text('a')),
          user(text(''), text('b')),
          { role: 'system', parts: [text('Be kind.')] },
          model(text('c')),
        ],
      }),
    ).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief.' }, { text: 'Be kind.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
        { role: 'model', parts: [{ text: 'c' }] },
      ],
    });
  });

  test('media', () => {
    const { contents } = encode({
      messages: [
        user(
          { type: 'image', url: 'data:image/jpg;base64,AAAA' },
          { type: 'image', url: 'gs://bucket/a.png' },
          { type: 'file', data: 'JVBERi0=', mediaType: 'application/pdf', name: 'gate.pdf' },
          { type: 'audio', data: 'UklGRg==', format: 'wav' },
        ),
      ],
    });
    expect(contents).toEqual([
      {
        role: 'user',
        parts: [
          { inlineData: { mimeType: 'image/jpeg', data: 'AAAA' } },
          { fileData: { fileUri: 'gs://bucket/a.png', mimeType: 'image/png' } },
          { inlineData: { mimeType: 'application/pdf', data: 'JVBERi0=' } },
          { inlineData: { mimeType: 'audio/wav', data: 'UklGRg==' } },
        ],
      },
    ]);
  });

  test('parallel calls and their results, which come before any text and name their function', () => {
    const { contents } = encode({
      messages: [
        model(
          { type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' },
          { type: 'tool-call', id: 'b', name: 'g', arguments: 'not JSON' },
          { type: 'tool-call', id: 'c', name: 'h', arguments: ' ' },
        ),
        user(text('thanks'), { type: 'tool-result', id: 'a', content: [text('{"y":2}')] }),
        user(
          { type: 'tool-result', id: 'b', content: [text('no')], isError: true },
          {
            type: 'tool-result',
            id: 'c',
            content: [text('see'), { type: 'image', url: 'data:image/png;base64,AA==' }],
          },
        ),
      ],
    });
    expect(contents).toEqual([
      {
        role: 'model',
        parts: [
          { functionCall: { id: 'a', name: 'f', args: { x: 1 } } },
          { functionCall: { id: 'b', name: 'g', args: { arguments: 'not JSON' } } },
          { functionCall: { id: 'c', name: 'h', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'a', name: 'f', response: { y: 2 } } },
          { functionResponse: { id: 'b', name: 'g', response: { error: 'no' } } },
          { functionResponse: { id: 'c', name: 'h', response: { result: 'see\n' } } },
          { inlineData: { mimeType: 'image/png', data: 'AA==' } },
          { text: 'thanks' },
        ],
      },
    ]);
  });

  test('signatures return where they came from, and no other vendor\u2019s do', () => {
    const turn = model(
      { type: 'reasoning', text: 'hm', signature: markSignature('c2ln') },
      { type: 'reasoning', text: '', signature: markSignature('dGV4dA==') },
      { type: 'reasoning', text: 'foreign', signature: 'anthropic' },
      { type: 'reasoning', text: 'unsigned' },
      { type: 'tool-call', id: signedCallId('call_1', 'Y2FsbA=='), name: 'f', arguments: '{}' },
      { type: 'tool-call', id: 'call_2', name: 'f', arguments: '{}' },
    );
    const back = user({ type: 'tool-result', id: signedCallId('call_1', 'Y2FsbA=='), content: [text('1')] });
    const { contents } = encode({ messages: [turn, back] }, 'gemini-3-flash-preview');
    expect(contents).toEqual([
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true, thoughtSignature: 'c2ln' },
          { text: '', thoughtSignature: 'dGV4dA==' },
          { functionCall: { id: 'call_1', name: 'f', args: {} }, thoughtSignature: 'Y2FsbA==' },
          { functionCall: { id: 'call_2', name: 'f', args: {} } },
        ],
      },
      { role: 'user', parts: [{ functionResponse: { id: 'call_1', name: 'f', response: { result: '1' } } }] },
    ]);
  });

  test('a first call without a signature says so to models that check, and to no others', () => {
    const messages = [model({ type: 'tool-call', id: 'toolu_1', name: 'f', arguments: '{}' })];
    const signature = (name: string): unknown => {
      const { contents } = encode({ messages }, name);
      const [first] = Array.isArray(contents) ? contents.filter(isJsonObject) : [];
      const [part] = Array.isArray(first?.['parts']) ? first['parts'] : [];
      return isJsonObject(part) ? part['thoughtSignature'] : undefined;
    };
    expect(signature('gemini-3-pro-preview')).toBe('skip_thought_signature_validator');
    expect(signature('gemini-4-argon')).toBe('skip_thought_signature_validator');
    expect(signature('gemini-2.5-pro')).toBeUndefined();
    expect(signature('publishers/google/models/gemini-2.5-pro')).toBeUndefined();
  });
});

describe('configuration', () => {
  test('sampling, limits, penalties, seed', () => {
    expect(
      config({
        maxOutputTokens: 9,
        temperature: 2,
        topP: 0.5,
        topK: 4,
        stop: ['END'],
        seed: 7,
        presencePenalty: 0.1,
        frequencyPenalty: 0.2,
      }),
    ).toEqual({
      maxOutputTokens: 9,
      temperature: 2,
      topP: 0.5,
      topK: 4,
      stopSequences: ['END'],
      seed: 7,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
    });
    expect(config({})).toBeUndefined();
  });

  test('JSON, with and without a schema', () => {
    const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' };
    expect(config({ responseFormat: { type: 'json' } })).toEqual({ responseMimeType: 'application/json' });
    expect(config({ responseFormat: { type: 'json-schema', name: 'n', schema } })).toEqual({
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'object' },
    });
    expect(config({ responseFormat: { type: 'text' } })).toBeUndefined();
  });

  test.each([
    ['gemini-2.5-flash', { effort: 'low' }, { thinkingBudget: 1_024, includeThoughts: true }],
    ['gemini-2.5-flash', { effort: 'xhigh' }, { thinkingBudget: 24_576, includeThoughts: true }],
    ['gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0 }],
    ['gemini-2.5-pro', { budgetTokens: 0 }, { thinkingBudget: 128 }],
    ['gemini-2.5-pro', { budgetTokens: 512 }, { thinkingBudget: 512, includeThoughts: true }],
    ['gemini-3-pro-preview', { effort: 'minimal' }, { thinkingLevel: 'low', includeThoughts: true }],
    ['gemini-3-pro-preview', { effort: 'medium' }, { thinkingLevel: 'high', includeThoughts: true }],
    ['gemini-3.5-flash', { effort: 'medium' }, { thinkingLevel: 'medium', includeThoughts: true }],
    ['gemini-3.5-flash', { effort: 'max' }, { thinkingLevel: 'high', includeThoughts: true }],
    ['gemini-3.5-flash', { effort: 'none' }, { thinkingLevel: 'minimal' }],
    ['gemini-flash-latest', { budgetTokens: 512 }, { thinkingBudget: 512, includeThoughts: true }],
  ])('%s thinks %p', (name, reasoning, thinkingConfig) => {
    expect(config({ reasoning }, name)).toEqual({ thinkingConfig });
  });
});

describe('tools', () => {
  test('schemas go as JSON Schema', () => {
    expect(encode({ tools: [{ ...tool, parameters: { additionalProperties: false } }] })['tools']).toEqual([
      {
        functionDeclarations: [
          { name: 'f', description: 'd', parametersJsonSchema: { type: 'object', additionalProperties: false } },
        ],
      },
    ]);
  });

  test.each<[ChatRequest['toolChoice'], boolean, JsonObject | undefined]>([
    [undefined, false, undefined],
    [{ type: 'auto' }, false, { mode: 'AUTO' }],
    [{ type: 'auto' }, true, { mode: 'VALIDATED' }],
    [undefined, true, { mode: 'VALIDATED' }],
    [{ type: 'none' }, true, { mode: 'NONE' }],
    [{ type: 'required' }, false, { mode: 'ANY' }],
    [{ type: 'tool', name: 'f' }, false, { mode: 'ANY', allowedFunctionNames: ['f'] }],
  ])('choice %p, strict %p', (toolChoice, strict, functionCallingConfig) => {
    const made = encode({ tools: [{ ...tool, strict }], ...(toolChoice && { toolChoice }) })['toolConfig'];
    expect(made).toEqual(functionCallingConfig && { functionCallingConfig });
    expect(encode(toolChoice ? { toolChoice } : {})['toolConfig']).toBeUndefined();
  });
});

describe('what the wire cannot carry', () => {
  const request: Partial<ChatRequest> = {
    tools: [tool],
    parallelToolCalls: false,
    reasoning: { effort: 'high' },
    messages: [
      { role: 'system', parts: [{ type: 'image', url: 'data:image/png;base64,AA==' }] },
      user({ type: 'image', url: 'ftp://example.org/a.png' }),
    ],
    extra: { n: 2, logit_bias: {}, metadata: {}, prompt_cache_key: 'k', safetySettings: [], cachedContent: 'c' },
  };
  const names = [
    'n',
    'logit_bias',
    'parallel_tool_calls',
    'reasoning',
    'an image URL of this kind',
    'image in a system message',
  ];

  test('is refused, all of it by name', () => {
    const made = (): JsonObject => encode(request, 'gemini-2.0-flash');
    expect(made).toThrow(SekishoError);
    expect(made).toThrow(new RegExp(names.join(', ')));
  });

  test('or left out and reported, where the call says so', () => {
    const told: string[] = [];
    const made = encodeChatRequest(
      { messages: [], ...request },
      { model: 'gemini-2.0-flash', target: 't', onUncarried: (parameters) => told.push(...parameters) },
    );
    expect(told).toEqual(names);
    expect(made).toMatchObject({ safetySettings: [], cachedContent: 'c', contents: [] });
    expect(made['n']).toBeUndefined();
  });

  test('one answer is what is given anyway', () => {
    expect(encode({ extra: { n: 1 } })).toEqual(encode({}));
  });
});

test('models are addressed by name or by path', () => {
  expect(modelPath('gemini-x')).toBe('models/gemini-x');
  expect(modelPath('tunedModels/my model')).toBe('tunedModels/my%20model');
  expect(modelPath('models/a?key=b')).toBe('models/a%3Fkey%3Db');
  expect(modelPath('models/../../b')).toBe('models/models%2F..%2F..%2Fb');
  expect(modelPath('..')).toBe('models/..');
});
