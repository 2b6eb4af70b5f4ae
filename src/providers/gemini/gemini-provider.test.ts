import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { Secret } from '../../lib/secret.ts';
import type { ChatCall } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { createGeminiProvider, type GeminiProviderOptions } from './gemini-provider.ts';
import { decodeUsage } from './usage.ts';

let seen: { path: string; headers: Headers; json: JsonObject }[] = [];
let answers: (() => Response)[] = [];
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    const json = parseJson(await request.text());
    const { pathname, search } = new URL(request.url);
    seen.push({ path: pathname + search, headers: request.headers, json: isJsonObject(json) ? json : {} });
    return (answers.shift() ?? (() => Response.json(whole)))();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answers = [];
});

const usageMetadata = { promptTokenCount: 8, candidatesTokenCount: 6, totalTokenCount: 14 };
const whole = {
  candidates: [
    {
      content: { role: 'model', parts: [{ text: 'The gate ' }, { text: 'is open.' }] },
      finishReason: 'STOP',
      index: 0,
    },
  ],
  usageMetadata,
  modelVersion: 'gemini-x-001',
  responseId: 'r1',
};
const provider = (more: Partial<GeminiProviderOptions> = {}) =>
  createGeminiProvider({
    name: 'g',
    baseUrl: `http://127.0.0.1:${server.port}`,
    credential: new Secret('AIza-credential-1'),
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 500 },
    nowMs: () => 7,
    ...more,
  });
const call = (request: Partial<ChatRequest> = {}): ChatCall => ({
  model: 'gemini-x',
  target: 'g/gemini-x',
  signal: new AbortController().signal,
  request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'Is the gate open?' }] }], ...request }),
});
const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => expect.unreachable(),
    (thrown: SekishoError) => thrown,
  );

describe('a whole answer', () => {
  test('is asked for with the key in a header, never in the address', async () => {
    const answer = await provider().chat?.(call());
    expect(seen[0]?.path).toBe('/v1beta/models/gemini-x:generateContent');
    expect(seen[0]?.headers.get('x-goog-api-key')).toBe('AIza-credential-1');
    expect(seen[0]?.json).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Is the gate open?' }] }] });
    expect(answer?.result()).toEqual({
      id: 'r1',
      model: 'gemini-x-001',
      createdMs: 7,
      parts: [{ type: 'text', text: 'The gate is open.' }],
      finish: 'stop',
      usage: {
        inputTokens: 8,
        outputTokens: 6,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 0,
        basis: 'reported',
      },
    });
  });

  test('a version in the base URL is kept', async () => {
    await provider({ baseUrl: `http://127.0.0.1:${server.port}/v1/projects/p` }).chat?.({
      ...call(),
      model: 'publishers/google/models/m',
    });
    expect(seen[0]?.path).toBe('/v1/projects/p/publishers/google/models/m:generateContent');
  });

  test('thoughts, calls, pictures', async () => {
    const content = {
      parts: [
        { text: 'hm', thought: true, thoughtSignature: 'aA==' },
        { functionCall: { name: 'f', args: { x: 1 } }, thoughtSignature: 'Yg==' },
        { inlineData: { mimeType: 'image/png', data: 'AA==' } },
        { inlineData: { mimeType: 'audio/wav', data: 'AA==' } },
      ],
    };
    answers = [() => Response.json({ ...whole, candidates: [{ content, finishReason: 'STOP' }] })];
    const result = (await provider().chat?.(call()))?.result();
    expect(result?.finish).toBe('tool-calls');
    expect(result?.parts).toEqual([
      { type: 'reasoning', text: 'hm', signature: 'gemini:aA==' },
      { type: 'tool-call', id: 'call_r1_0__sig__Yg', name: 'f', arguments: '{"x":1}' },
      { type: 'image', url: 'data:image/png;base64,AA==' },
    ]);
  });

  test('is estimated where the upstream is silent', async () => {
    answers = [() => Response.json({ candidates: whole.candidates })];
    const answer = await provider().chat?.(call());
    expect(answer?.usage).toMatchObject({ basis: 'estimated', outputTokens: 5 });
  });

  test.each([
    ['content_refused', { promptFeedback: { blockReason: 'SAFETY' }, usageMetadata }],
    ['upstream_broken', { candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL' }], usageMetadata }],
    ['upstream_broken', { usageMetadata }],
    ['upstream_failed', { error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }],
  ])('%s', async (code, body) => {
    answers = [() => Response.json(body)];
    expect((await failure(provider().chat?.(call()))).code).toBe(code as never);
  });
});

describe('errors', () => {
  const status = (code: number, status: string, message: string, details: object[] = []): (() => Response) => {
    const error = { code, message, status, details };
    return () => Response.json({ error }, { status: code });
  };
  const info = (reason: string): object => ({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason });
  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.2s' };

  test.each([
    ['upstream_credential', status(400, 'INVALID_ARGUMENT', 'API key not valid.', [info('API_KEY_INVALID')])],
    ['upstream_credential', status(403, 'PERMISSION_DENIED', 'no')],
    ['upstream_credential', status(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.')],
    ['upstream_not_found', status(404, 'NOT_FOUND', 'models/x is not found for API version v1beta')],
    [
      'context_too_long',
      status(
        400,
        'INVALID_ARGUMENT',
        'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
      ),
    ],
    ['upstream_rejected', status(400, 'INVALID_ARGUMENT', 'Unknown name "x"')],
    ['upstream_rate_limited', status(429, 'RESOURCE_EXHAUSTED', 'slow down')],
    ['upstream_timeout', status(504, 'DEADLINE_EXCEEDED', 'too slow')],
    ['upstream_failed', status(503, 'UNAVAILABLE', 'The model is overloaded.')],
    ['upstream_failed', status(500, 'INTERNAL', 'oops')],
  ] as const)('%s', async (code, answer) => {
    answers = [answer, answer];
    expect((await failure(provider().chat?.(call()))).code).toBe(code);
    expect((await failure(provider().streamChat?.(call()))).code).toBe(code);
  });

  test('the pause that the body asks for', async () => {
    answers = [
      status(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota', [info('RATE_LIMIT_EXCEEDED'), retry]),
    ];
    expect((await failure(provider().chat?.(call()))).retryAfterMs).toBe(34_200);
  });

  test('a refusal of a stream that is a list', async () => {
    const error = { code: 400, message: 'no', status: 'INVALID_ARGUMENT', details: [info('API_KEY_INVALID')] };
    answers = [() => Response.json([{ error }], { status: 400 })];
    expect((await failure(provider().streamChat?.(call()))).code).toBe('upstream_credential');
  });
});

describe('a stream', () => {
  test('is asked for as events, and comes in parts', async () => {
    const body = `data: ${JSON.stringify(whole)}\r\n\r\n`;
    answers = [() => new Response(body, { headers: { 'content-type': 'text/event-stream' } })];
    const stream = await provider().streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(seen[0]?.path).toBe('/v1beta/models/gemini-x:streamGenerateContent?alt=sse');
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'text', 'usage', 'finish']);
  });

  test('that comes whole is handed on as one', async () => {
    const stream = await provider().streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'usage', 'finish']);
  });
});

describe('pictures by address', () => {
  const messages: ChatRequest['messages'] = [
    {
      role: 'user',
      parts: [
        { type: 'image', url: 'https://example.org/a.png' },
        { type: 'image', url: 'https://example.org/a.png' },
      ],
    },
  ];

  test('are fetched once and sent as data', async () => {
    const fetched: string[] = [];
    const fetchMedia = (url: string) => {
      fetched.push(url);
      return Promise.resolve({ bytes: new Uint8Array([1, 2]), mediaType: 'image/png' });
    };
    await provider({ fetchMedia }).chat?.(call({ messages }));
    const part = { inlineData: { mimeType: 'image/png', data: 'AQI=' } };
    expect(seen[0]?.json['contents']).toEqual([{ role: 'user', parts: [part, part] }]);
    expect(fetched).toEqual(['https://example.org/a.png']);
  });

  test.each([
    ['nobody may fetch them', {}],
    ['they are no pictures', { fetchMedia: async () => ({ bytes: new Uint8Array(1), mediaType: 'text/html' }) }],
    ['they cannot be had', { fetchMedia: () => Promise.reject(new Error('secret detail')) }],
    [
      'they are too large together',
      { fetchMedia: async () => ({ bytes: new Uint8Array(33 * 1024 * 1024), mediaType: 'image/png' }) },
    ],
  ])('are refused where %s', async (_, more) => {
    const error = await failure(provider(more).chat?.(call({ messages })));
    expect([error.code, error.param]).toEqual(['invalid_request', 'image_url']);
    expect(error.message).not.toContain('secret detail');
    expect(seen).toHaveLength(0);
  });
});

describe('embeddings', () => {
  const at = { model: 'gemini-embedding-001', target: 'g/e', signal: new AbortController().signal };

  test('one text alone, counted by the upstream where it does', async () => {
    answers = [() => Response.json({ embedding: { values: [1, 2] }, usageMetadata: { promptTokenCount: 3 } })];
    const answer = await provider().embed?.({ ...at, request: { input: ['gate'], dimensions: 2, purpose: 'query' } });
    expect(seen[0]?.path).toBe('/v1beta/models/gemini-embedding-001:embedContent');
    expect(seen[0]?.json).toEqual({
      model: 'models/gemini-embedding-001',
      content: { parts: [{ text: 'gate' }] },
      taskType: 'RETRIEVAL_QUERY',
      outputDimensionality: 2,
    });
    expect(answer?.usage).toMatchObject({ inputTokens: 3, basis: 'reported' });
    expect([...(answer?.result().vectors[0] ?? [])]).toEqual([1, 2]);
  });

  test('many in batches of a hundred, in order', async () => {
    const batch = (from: number, count: number) => () =>
      Response.json({ embeddings: Array.from({ length: count }, (_, index) => ({ values: [from + index] })) });
    answers = [batch(0, 100), batch(100, 50)];
    const input = Array.from({ length: 150 }, (_, index) => `text ${index}`);
    const answer = await provider().embed?.({ ...at, request: { input, purpose: 'document' } });
    expect(seen.map((each) => each.path)).toEqual(
      Array<string>(2).fill('/v1beta/models/gemini-embedding-001:batchEmbedContents'),
    );
    expect(answer?.result().vectors.map((vector) => vector[0])).toEqual(input.map((_, index) => index));
    expect(answer?.usage.basis).toBe('estimated');
  });

  test('one that is missing is an error', async () => {
    answers = [() => Response.json({ embeddings: [{ values: [1] }] })];
    expect((await failure(provider().embed?.({ ...at, request: { input: ['a', 'b'] } }))).code).toBe('upstream_broken');
  });
});

test('tokens are counted of the whole request', async () => {
  answers = [() => Response.json({ totalTokens: 31 }), () => Response.json({})];
  expect(await provider().countTokens?.(call({ temperature: 1 }))).toBe(31);
  expect(seen[0]?.path).toBe('/v1beta/models/gemini-x:countTokens');
  expect(seen[0]?.json).toEqual({
    generateContentRequest: {
      model: 'models/gemini-x',
      contents: [{ role: 'user', parts: [{ text: 'Is the gate open?' }] }],
      generationConfig: { temperature: 1 },
    },
  });
  expect((await failure(provider().countTokens?.(call()))).code).toBe('upstream_broken');
});

test('models are listed by their names, and the endpoint is asked cheaply whether it answers', async () => {
  answers = [
    () => Response.json({ models: [{ name: 'models/a' }, { name: 7 }, { name: 'models/b' }] }),
    () => Response.json({ models: [] }),
    () => new Response('', { status: 503 }),
  ];
  const { signal } = new AbortController();
  expect(await provider().listModels?.(signal)).toEqual(['a', 'b']);
  await provider().probe?.(signal);
  expect(seen[1]?.path).toBe('/v1beta/models?pageSize=1');
  expect((await failure(provider().probe?.(signal))).code).toBe('upstream_failed');
});

describe('usage', () => {
  const none = { cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0, basis: 'reported' as const };
  test.each([
    ['plain', usageMetadata, { ...none, inputTokens: 8, outputTokens: 6 }],
    [
      'thoughts are part of the output, though not of the candidates',
      { promptTokenCount: 10, candidatesTokenCount: 12, thoughtsTokenCount: 5, totalTokenCount: 27 },
      { ...none, inputTokens: 10, outputTokens: 17, reasoningTokens: 5 },
    ],
    [
      'all was thought',
      { promptTokenCount: 10, thoughtsTokenCount: 5, totalTokenCount: 15 },
      { ...none, inputTokens: 10, outputTokens: 5, reasoningTokens: 5 },
    ],
    [
      'what the vendor\u2019s tools added is part of the prompt',
      { promptTokenCount: 10, toolUsePromptTokenCount: 90, candidatesTokenCount: 3, totalTokenCount: 103 },
      { ...none, inputTokens: 100, outputTokens: 3 },
    ],
    [
      'kinds; what came from the cache counts as cached only',
      {
        promptTokenCount: 100,
        cachedContentTokenCount: 40,
        candidatesTokenCount: 30,
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 20 },
          { modality: 'AUDIO', tokenCount: 50 },
          { modality: 'IMAGE', tokenCount: 30 },
        ],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 40 }],
        candidatesTokensDetails: [
          { modality: 'IMAGE', tokenCount: 20 },
          { modality: 'AUDIO', tokenCount: 10 },
        ],
      },
      {
        ...none,
        inputTokens: 100,
        outputTokens: 30,
        cachedInputTokens: 40,
        audioInputTokens: 10,
        imageInputTokens: 30,
        imageOutputTokens: 20,
        audioOutputTokens: 10,
      },
    ],
  ])('%s', (_, given, expected) => {
    expect(decodeUsage(given)).toEqual(expected);
  });
});
