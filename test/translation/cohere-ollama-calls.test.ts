import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { Secret } from '../../src/lib/secret.ts';
import type { ChatCall } from '../../src/ports/provider.ts';
import { createCohereProvider } from '../../src/providers/cohere/cohere-provider.ts';
import { createOllamaProvider } from '../../src/providers/ollama/ollama-provider.ts';
import { createOpenAiProvider } from '../../src/providers/openai/openai-provider.ts';
import type { ChatRequest } from '../../src/spec/chat.ts';
import type { SekishoError } from '../../src/spec/errors.ts';

let seen: { path: string; json: JsonObject; authorization: string | null }[] = [];
let answers: Record<string, () => Response> = {};
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    const json = parseJson(await request.text());
    const path = new URL(request.url).pathname;
    const authorization = request.headers.get('authorization');
    seen.push({ path, json: isJsonObject(json) ? json : {}, authorization });
    return (answers[path] ?? (() => Response.json({ message: 'no such address' }, { status: 404 })))();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answers = {};
});

const options = () => ({
  name: 'up',
  baseUrl: `http://127.0.0.1:${server.port}`,
  credential: new Secret('credential-4711'),
  timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 2_000 },
  nowMs: () => 7,
});
const context = () => ({ model: 'm', target: 'up/m', signal: new AbortController().signal });
const picture = 'data:image/png;base64,AAAA';
const whole: ChatRequest = {
  messages: [
    { role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] },
    {
      role: 'user',
      parts: [
        { type: 'text', text: 'Look' },
        { type: 'image', url: picture },
      ],
    },
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'I will look.' },
        { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"x":1}' },
        { type: 'tool-call', id: 'c2', name: 'f', arguments: '' },
      ],
    },
    {
      role: 'user',
      parts: [
        { type: 'tool-result', id: 'c1', content: [{ type: 'text', text: 'one' }] },
        { type: 'tool-result', id: 'c2', content: [{ type: 'text', text: 'gone' }], isError: true },
      ],
    },
  ],
  tools: [{ name: 'f', description: 'd', parameters: { type: 'object' } }],
  responseFormat: { type: 'json-schema', name: 's', schema: { type: 'object', required: ['a'] } },
  maxOutputTokens: 9,
  temperature: 0.5,
  topP: 0.9,
  topK: 3,
  stop: ['END'],
  seed: 4,
  presencePenalty: 0.1,
  frequencyPenalty: 0.2,
  reasoning: { budgetTokens: 2_048 },
  passages: [{ id: 'd1', content: 'The gate is open.' }],
};
const call = (request: Partial<ChatRequest> = {}): ChatCall => ({
  ...context(),
  request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'Open?' }] }], ...request }),
});
const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => expect.unreachable(),
    (thrown: SekishoError) => thrown,
  );
const tool = { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' } } };

describe('cohere', () => {
  const body = {
    id: 'c1',
    finish_reason: 'COMPLETE',
    message: { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
    usage: { billed_units: { input_tokens: 2, output_tokens: 1 }, tokens: { input_tokens: 99, output_tokens: 3 } },
  };

  test('carries a whole request', async () => {
    answers['/v2/chat'] = () => Response.json(body);
    const answer = await createCohereProvider(options()).chat?.({ ...context(), request: () => whole });
    expect(seen[0]?.authorization).toBe('Bearer credential-4711');
    expect(seen[0]?.json).toEqual({
      model: 'm',
      stream: false,
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image_url', image_url: { url: picture } },
          ],
        },
        {
          role: 'assistant',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
            { id: 'c2', type: 'function', function: { name: 'f', arguments: '{}' } },
          ],
          tool_plan: 'I will look.',
        },
        { role: 'tool', tool_call_id: 'c1', content: 'one' },
        { role: 'tool', tool_call_id: 'c2', content: 'Error: gone' },
      ],
      tools: [tool],
      documents: [{ id: 'd1', data: { text: 'The gate is open.' } }],
      response_format: { type: 'json_object', json_schema: { type: 'object', required: ['a'] } },
      max_tokens: 9,
      temperature: 0.5,
      p: 0.9,
      k: 3,
      stop_sequences: ['END'],
      seed: 4,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      thinking: { type: 'enabled', token_budget: 2_048 },
    });
    expect(answer?.usage).toMatchObject({ inputTokens: 2, outputTokens: 1, basis: 'reported' });
    expect(answer?.result()).toMatchObject({ id: 'c1', finish: 'stop', parts: [{ type: 'text', text: 'Yes.' }] });
  });

  test('a penalty below 0 is refused by name', async () => {
    const thrown = await failure(createCohereProvider(options()).chat?.(call({ presencePenalty: -1 })));
    expect(thrown).toMatchObject({ code: 'unsupported_parameter', param: 'presence_penalty' });
  });

  test('embeds in batches of 96', async () => {
    let left = 100;
    answers['/v2/embed'] = () => {
      const count = Math.min(96, left);
      left -= count;
      const float = Array.from({ length: count }, () => [1, 0]);
      return Response.json({ embeddings: { float }, meta: { billed_units: { input_tokens: count } } });
    };
    const input = Array.from({ length: 100 }, (_, place) => `t${place}`);
    const answer = await createCohereProvider(options()).embed?.({
      ...context(),
      request: { input, purpose: 'query' },
    });
    expect(answer?.result().vectors).toHaveLength(100);
    expect(answer?.usage.inputTokens).toBe(100);
    expect(seen.map(({ json }) => json['input_type'])).toEqual(['search_query', 'search_query']);
  });

  test('reranks, and is billed by the search', async () => {
    const results = [
      { index: 0, relevance_score: 0.1 },
      { index: 1, relevance_score: 0.9 },
    ];
    answers['/v2/rerank'] = () => Response.json({ id: 'r', results, meta: { billed_units: { search_units: 1 } } });
    const request = { query: 'q', documents: ['a', 'b'], topN: 1 };
    const answer = await createCohereProvider(options()).rerank?.({ ...context(), request });
    expect(answer).toMatchObject({ results: [{ index: 1, score: 0.9 }], usage: { searchUnits: 1 } });
    expect(seen[0]?.json['top_n']).toBe(1);
  });

  test.each([
    [401, 'upstream_credential'],
    [404, 'upstream_not_found'],
    [422, 'upstream_rejected'],
    [429, 'upstream_rate_limited'],
    [498, 'content_refused'],
    [503, 'upstream_failed'],
  ] as const)('%p is %s', async (status, code) => {
    answers['/v2/chat'] = () => Response.json({ message: 'as told' }, { status });
    expect((await failure(createCohereProvider(options()).chat?.(call()))).code).toBe(code);
  });

  test.each([
    ['ERROR', 'upstream_failed'],
    ['TIMEOUT', 'upstream_timeout'],
  ] as const)('an answer that ends with %s is none', async (finish_reason, code) => {
    answers['/v2/chat'] = () => Response.json({ ...body, finish_reason });
    expect((await failure(createCohereProvider(options()).chat?.(call()))).code).toBe(code);
  });
});

describe('ollama', () => {
  const message = { role: 'assistant', content: 'Yes.' };
  const body = { model: 'm', message, done: true, done_reason: 'length', prompt_eval_count: 3, eval_count: 2 };

  test('carries a whole request', async () => {
    answers['/api/chat'] = () => Response.json(body);
    const extra = { keep_alive: '5m', options: { num_ctx: 8_192 } };
    const answer = await createOllamaProvider(options()).chat?.({ ...context(), request: () => ({ ...whole, extra }) });
    expect(seen[0]?.json).toEqual({
      model: 'm',
      stream: false,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Look', images: ['AAAA'] },
        {
          role: 'assistant',
          content: '',
          thinking: 'I will look.',
          tool_calls: [
            { id: 'c1', function: { name: 'f', arguments: { x: 1 } } },
            { id: 'c2', function: { name: 'f', arguments: {} } },
          ],
        },
        { role: 'tool', tool_name: 'f', tool_call_id: 'c1', content: 'one' },
        { role: 'tool', tool_name: 'f', tool_call_id: 'c2', content: 'Error: gone' },
      ],
      tools: [tool],
      format: { type: 'object', required: ['a'] },
      think: true,
      options: {
        num_predict: 9,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 3,
        stop: ['END'],
        seed: 4,
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        num_ctx: 8_192,
      },
      keep_alive: '5m',
    });
    expect(answer?.usage).toMatchObject({ inputTokens: 3, outputTokens: 2, basis: 'reported' });
    expect(answer?.result()).toMatchObject({ finish: 'length', parts: [{ type: 'text', text: 'Yes.' }] });
  });

  test('asks for a window that holds a long prompt, and no wider than the model has', async () => {
    answers['/api/chat'] = () => Response.json(body);
    answers['/api/show'] = () => Response.json({ model_info: { 'llama.context_length': 40_000 } });
    const provider = createOllamaProvider(options());
    const long = (length: number) =>
      call({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'a'.repeat(length) }] }] });
    for (const length of [300, 30_000, 900_000]) await provider.chat?.(long(length));
    const windows = seen
      .filter(({ path }) => path === '/api/chat')
      .map(({ json }) => (isJsonObject(json['options']) ? json['options']['num_ctx'] : undefined));
    expect(windows).toEqual([undefined, 16_384, 40_000]);
    expect(seen.filter(({ path }) => path === '/api/show')).toHaveLength(1);
  });

  test('streams lines', async () => {
    const lines = [{ message, done: false }, body].map((line) => `${JSON.stringify(line)}\n`).join('');
    answers['/api/chat'] = () => new Response(lines, { headers: { 'content-type': 'application/x-ndjson' } });
    const stream = await createOllamaProvider(options()).streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(parts.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'usage', 'finish']);
  });

  test('an error with status 200 is one, in a stream and whole', async () => {
    const line = '{"error":"an error was encountered while running the model"}\n';
    answers['/api/chat'] = () => new Response(line, { headers: { 'content-type': 'application/x-ndjson' } });
    const provider = createOllamaProvider(options());
    expect((await failure(provider.streamChat?.(call()))).code).toBe('upstream_failed');
    expect((await failure(provider.chat?.(call()))).code).toBe('upstream_failed');
  });

  test('a model that is not there', async () => {
    answers['/api/chat'] = () => Response.json({ error: "model 'm' not found" }, { status: 404 });
    expect((await failure(createOllamaProvider(options()).chat?.(call()))).code).toBe('upstream_not_found');
  });

  test('a choice of tools that it cannot carry is refused by name', async () => {
    const request = { tools: whole.tools ?? [], toolChoice: { type: 'required' } as const };
    const thrown = await failure(createOllamaProvider(options()).chat?.(call(request)));
    expect(thrown).toMatchObject({ code: 'unsupported_parameter', param: 'tool_choice' });
  });

  test('embeds, lists, and is probed', async () => {
    answers['/api/embed'] = () => Response.json({ model: 'm', embeddings: [[1, 2]], prompt_eval_count: 5 });
    answers['/api/tags'] = () => Response.json({ models: [{ name: 'm:latest' }] });
    answers['/api/version'] = () => Response.json({ version: '0' });
    const provider = createOllamaProvider(options());
    const answer = await provider.embed?.({ ...context(), request: { input: ['a'] } });
    expect(answer?.result().vectors).toEqual([Float32Array.of(1, 2)]);
    expect(answer?.usage.inputTokens).toBe(5);
    expect(await provider.listModels?.(context().signal)).toEqual(['m:latest']);
    await provider.probe?.(context().signal);
  });
});

describe('rerank on the openai wire', () => {
  const request = { query: 'q', documents: ['a', 'b'] };

  test('the best comes first, with the tokens it took', async () => {
    const results = [
      { index: 0, relevance_score: -3 },
      { index: 1, relevance_score: 2 },
    ];
    answers['/rerank'] = () => Response.json({ results, usage: { total_tokens: 6 } });
    const answer = await createOpenAiProvider(options()).rerank?.({ ...context(), request });
    expect(answer?.results.map(({ index }) => index)).toEqual([1, 0]);
    expect(answer?.usage).toMatchObject({ inputTokens: 6, basis: 'reported' });
  });

  test('a result that points at no document is no answer', async () => {
    answers['/rerank'] = () => Response.json({ results: [{ index: 2, relevance_score: 1 }] });
    const thrown = await failure(createOpenAiProvider(options()).rerank?.({ ...context(), request }));
    expect(thrown.code).toBe('upstream_broken');
  });
});
