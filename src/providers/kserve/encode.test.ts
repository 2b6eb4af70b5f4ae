import { describe, expect, test } from 'bun:test';
import type { ChatRequest } from '../../spec/chat.ts';
import { encodeText } from './encode.ts';
import { inferText, textAnswerIn } from './infer-text.ts';
import type { Tensor } from './tensors.ts';

const tensor = (name: string, datatype: string, shape: number[] = [1]): Tensor => ({ name, datatype, shape });
const PLAIN = [tensor('text_input', 'BYTES')];
const VLLM = [
  ...PLAIN,
  tensor('stream', 'BOOL'),
  tensor('sampling_parameters', 'BYTES'),
  tensor('exclude_input_in_output', 'BOOL'),
  tensor('return_finish_reason', 'BOOL'),
  tensor('return_num_input_tokens', 'BOOL'),
  tensor('return_num_output_tokens', 'BOOL'),
];
const TENSOR_RT = [
  tensor('text_input', 'BYTES', [-1, 1]),
  tensor('max_tokens', 'INT32', [-1, 1]),
  tensor('stop_words', 'BYTES', [-1, -1]),
  tensor('random_seed', 'UINT64', [-1, 1]),
];
const call = { target: 'k/m' };
const ask = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'Open?' }] }],
  ...more,
});
const whole = ask({ maxOutputTokens: 9, temperature: 0.5, topP: 0.9, topK: 3, seed: 4, stop: ['END', '関'] });

describe('a request', () => {
  test('for vLLM goes as JSON in one input, and asks for no echo, the reason and the counts', () => {
    const { prompt, parameters } = encodeText(whole, call, VLLM);
    const { sampling_parameters: sampling, ...wishes } = parameters;
    expect(prompt).toBe('Open?');
    expect(JSON.parse(String(sampling))).toEqual({
      max_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      seed: 4,
      stop: ['END', '関'],
    });
    expect(wishes).toEqual({
      exclude_input_in_output: true,
      return_finish_reason: true,
      return_num_input_tokens: true,
      return_num_output_tokens: true,
    });
  });

  test('for TensorRT-LLM has the names of its inputs', () => {
    expect(encodeText(whole, call, TENSOR_RT).parameters).toEqual({
      max_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      random_seed: 4,
      stop_words: ['END', '関'],
    });
  });

  test('leaves room for an answer where the model asks how much', () => {
    expect(encodeText(ask(), call, VLLM).parameters['sampling_parameters']).toBe('{"max_tokens":1024}');
    expect(encodeText(ask(), call, TENSOR_RT).parameters).toEqual({ max_tokens: 1_024 });
    expect(encodeText(ask(), call, PLAIN).parameters).toEqual({});
  });

  test('of several turns becomes lines of speakers, and the turn of the model is open', () => {
    const messages: ChatRequest['messages'] = [
      { role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', parts: [{ type: 'text', text: '関所は？' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'Hm.' },
          { type: 'text', text: 'Yes?' },
        ],
      },
      { role: 'user', parts: [{ type: 'text', text: 'Open?' }] },
    ];
    expect(encodeText({ messages }, call, PLAIN).prompt).toBe(
      'System: Be brief.\n\nUser: 関所は？\n\nAssistant: Yes?\n\nUser: Open?\n\nAssistant:',
    );
  });

  test('loses nothing in silence', () => {
    const lost: string[] = [];
    const told = { ...call, onUncarried: (names: readonly string[]) => void lost.push(...names) };
    const image = { type: 'image' as const, url: 'data:image/png;base64,AAAA' };
    const request = ask({
      messages: [{ role: 'user', parts: [image] }],
      tools: [{ name: 'f', parameters: {} }],
      responseFormat: { type: 'json' },
      reasoning: { effort: 'high' },
      stop: ['x'],
      extra: { logit_bias: {}, n: 1, metadata: {} },
    });
    encodeText(request, told, PLAIN);
    expect(lost.toSorted()).toEqual(['image', 'logit_bias', 'reasoning', 'response_format', 'stop', 'tools']);
  });
});

describe('without the generate extension', () => {
  const outputs = [tensor('text_output', 'BYTES'), tensor('finish_reason', 'BYTES'), tensor('logprobs', 'BYTES')];

  test('what the model has inputs for are tensors, the rest are parameters', () => {
    const body = inferText(encodeText(whole, call, TENSOR_RT), { inputs: TENSOR_RT, outputs });
    expect(body).toEqual({
      output: 'text_output',
      request: {
        inputs: [
          { name: 'text_input', datatype: 'BYTES', shape: [1, 1], data: ['Open?'] },
          { name: 'max_tokens', datatype: 'INT32', shape: [1, 1], data: [9] },
          { name: 'random_seed', datatype: 'UINT64', shape: [1, 1], data: [4] },
          { name: 'stop_words', datatype: 'BYTES', shape: [1, 2], data: ['END', '関'] },
        ],
        outputs: [{ name: 'text_output' }, { name: 'finish_reason' }],
        parameters: { temperature: 0.5, top_p: 0.9, top_k: 3 },
      },
    });
  });

  test('a model of other names is taken by its types, and one without text is not', () => {
    const body = inferText(encodeText(ask(), call, []), {
      inputs: [tensor('q', 'BYTES')],
      outputs: [tensor('a', 'BYTES')],
    });
    expect(body?.request).toEqual({
      inputs: [{ name: 'q', datatype: 'BYTES', shape: [1], data: ['Open?'] }],
      outputs: [{ name: 'a' }],
    });
    expect(inferText(encodeText(ask(), call, []), { inputs: PLAIN, outputs: [tensor('v', 'FP32')] })).toBeUndefined();
    expect(textAnswerIn({ outputs: [{ name: 'a', data: [['はい']] }] }, 'a')).toEqual({ text_output: 'はい' });
  });
});
