import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventMessage } from '../../../test/support/fake-provider/event-message.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { Secret } from '../../lib/secret.ts';
import type { ChatCall } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { createBedrockProvider, type BedrockProviderOptions } from './bedrock-provider.ts';
import { createSigner } from './sign.ts';
import { decodeUsage } from './usage.ts';

let seen: { path: string; headers: Headers; text: string; json: JsonObject }[] = [];
let answers: (() => Response)[] = [];
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    const text = await request.text();
    const json = parseJson(text);
    const path = request.url.slice(`http://127.0.0.1:${server.port}`.length);
    seen.push({ path, headers: request.headers, text, json: isJsonObject(json) ? json : {} });
    return (answers.shift() ?? (() => Response.json(whole, { headers: { 'x-amzn-requestid': 'req-1' } })))();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answers = [];
});

const whole = {
  output: {
    message: {
      role: 'assistant',
      content: [
        { reasoningContent: { reasoningText: { text: 'hm', signature: 's' } } },
        { reasoningContent: { redactedContent: 'AAAA' } },
        { text: 'The gate is open.' },
        { citationsContent: { content: [{ text: ' Says the sign.' }], citations: [] } },
        { toolUse: { toolUseId: 'a', name: 'f', input: { x: 1 } } },
        { somethingNew: {} },
      ],
    },
  },
  stopReason: 'tool_use',
  usage: { inputTokens: 8, outputTokens: 6, totalTokens: 14 },
};
const MODEL = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
const PATH = '/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0';
const keys = { accessKeyId: 'AKID', secretAccessKey: new Secret('secret-key-1'), sessionToken: new Secret('token-1') };
const NOW = Date.parse('2026-01-02T03:04:05Z');
const base = `http://127.0.0.1:${server.port}`;
const provider = (more: Partial<BedrockProviderOptions> = {}) =>
  createBedrockProvider({
    name: 'b',
    region: 'eu-west-1',
    baseUrl: base,
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 500 },
    nowMs: () => NOW,
    ...more,
  });
const call = (request: Partial<ChatRequest> = {}): ChatCall => ({
  model: MODEL,
  target: 'b/claude',
  signal: new AbortController().signal,
  request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'Is the gate open?' }] }], ...request }),
});
const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => expect.unreachable(),
    (thrown: SekishoError) => thrown,
  );

describe('a whole answer', () => {
  test('is asked for and understood', async () => {
    const answer = await provider().chat?.(call());
    expect(seen[0]?.path).toBe(`${PATH}/converse`);
    expect(seen[0]?.json).toEqual({ messages: [{ role: 'user', content: [{ text: 'Is the gate open?' }] }] });
    expect(seen[0]?.headers.get('authorization')).toBeNull();
    expect(answer?.result()).toEqual({
      id: 'req-1',
      model: MODEL,
      createdMs: NOW,
      parts: [
        { type: 'reasoning', text: 'hm', signature: 's' },
        { type: 'reasoning', text: '', redacted: 'AAAA' },
        { type: 'text', text: 'The gate is open.' },
        { type: 'text', text: ' Says the sign.' },
        { type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' },
      ],
      finish: 'tool-calls',
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

  test('is estimated where the upstream is silent', async () => {
    answers = [() => Response.json({ ...whole, usage: undefined })];
    expect((await provider().chat?.(call()))?.usage).toMatchObject({ basis: 'estimated' });
  });

  test.each([
    ['upstream_broken', { ...whole, stopReason: 'malformed_model_output' }],
    ['upstream_broken', { usage: whole.usage }],
  ])('%s', async (code, body) => {
    answers = [() => Response.json(body)];
    expect((await failure(provider().chat?.(call()))).code).toBe(code as never);
  });
});

describe('who calls', () => {
  test('an API key goes as a bearer token, and comes before signing', async () => {
    await provider({ ...keys, credential: new Secret('bedrock-api-key-1') }).chat?.(call());
    expect(seen[0]?.headers.get('authorization')).toBe('Bearer bedrock-api-key-1');
    expect(seen[0]?.headers.get('x-amz-date')).toBeNull();
  });

  test('keys sign what is sent', async () => {
    await provider({ ...keys, headers: { 'x-team': 'a' } }).chat?.(call());
    const sent = seen[0];
    const sign = createSigner({ ...keys, region: 'eu-west-1', service: 'bedrock', nowMs: () => NOW });
    const url = new URL(`${base}${PATH}/converse`);
    const expected = sign({ method: 'POST', url, headers: {}, body: sent?.text ?? '' });
    expect(sent?.headers.get('authorization')).toBe(expected['authorization'] ?? '');
    expect(sent?.headers.get('authorization')).toContain('/20260102/eu-west-1/bedrock/aws4_request');
    expect(sent?.headers.get('x-amz-security-token')).toBe('token-1');
    expect(sent?.headers.get('x-team')).toBe('a');
    expect(JSON.stringify([...(sent?.headers ?? [])])).not.toContain('secret-key-1');
  });
});

test('what a call was signed with is in no error, whatever the upstream echoes', async () => {
  const echo = (status: number) => () => {
    const authorization = seen.at(-1)?.headers.get('authorization') ?? '';
    const message = `x-amz-security-token: session-token-4711 ${authorization}`;
    return Response.json({ message }, { status });
  };
  answers = [echo(403), echo(400)];
  for (let turn = 0; turn < 2; turn++) {
    const error = await failure(provider({ ...keys, sessionToken: new Secret('session-token-4711') }).chat?.(call()));
    const told = `${error.message} ${String(error.cause)}`;
    expect(told).toContain('[secret]');
    expect(told).not.toMatch(/Signature=|session-token-4711/);
  }
});

describe('errors', () => {
  const refusal =
    (status: number, type: string, message: string, headers: Record<string, string> = {}) =>
    () =>
      Response.json({ message }, { status, headers: { 'x-amzn-errortype': type, ...headers } });

  test.each([
    ['upstream_rate_limited', refusal(400, 'ThrottlingException:http://internal.amazon.com/', 'Too many requests')],
    ['upstream_rate_limited', refusal(400, 'ServiceQuotaExceededException', 'quota')],
    ['upstream_credential', refusal(403, 'AccessDeniedException', 'no access to the model')],
    ['upstream_credential', refusal(403, 'UnrecognizedClientException', 'The security token is invalid.')],
    ['upstream_credential', refusal(400, 'ExpiredTokenException', 'expired')],
    ['upstream_not_found', refusal(404, 'ResourceNotFoundException', 'no such model')],
    ['upstream_not_found', refusal(400, 'ValidationException', 'The provided model identifier is invalid.')],
    [
      'upstream_not_found',
      refusal(400, 'ValidationException', 'Invocation of model ID x with on-demand throughput isn\u2019t supported.'),
    ],
    ['context_too_long', refusal(400, 'ValidationException', 'Input is too long for requested model.')],
    ['upstream_rejected', refusal(400, 'ValidationException', 'messages: roles must alternate')],
    ['upstream_timeout', refusal(408, 'ModelTimeoutException', 'late')],
    ['upstream_failed', refusal(424, 'ModelErrorException', 'oops')],
    ['upstream_failed', refusal(429, 'ModelNotReadyException', 'warming up')],
    ['upstream_failed', refusal(500, 'InternalServerException', 'oops')],
    ['upstream_failed', refusal(503, 'ServiceUnavailableException', 'oops')],
    ['upstream_credential', () => Response.json({ __type: 'com.amazon#AccessDeniedException' }, { status: 400 })],
  ] as const)('%s', async (code, answer) => {
    answers = [answer, answer];
    expect((await failure(provider().chat?.(call()))).code).toBe(code);
    expect((await failure(provider().streamChat?.(call()))).code).toBe(code);
  });

  test('the pause that a header asks for; what the model timed out in', async () => {
    answers = [
      refusal(429, 'ThrottlingException', 'slow', { 'retry-after': '3' }),
      refusal(408, 'ModelTimeoutException', 'late'),
    ];
    expect((await failure(provider().chat?.(call()))).retryAfterMs).toBe(3_000);
    expect((await failure(provider().chat?.(call()))).message).toContain('(model)');
  });
});

describe('a stream', () => {
  const type = { 'content-type': 'application/vnd.amazon.eventstream' };
  const body = Buffer.concat([
    eventMessage('messageStart', { role: 'assistant' }),
    eventMessage('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'a' } }),
    eventMessage('messageStop', { stopReason: 'end_turn' }),
    eventMessage('metadata', { usage: whole.usage }),
  ]);

  test('comes in parts', async () => {
    answers = [() => new Response(body, { headers: type })];
    const stream = await provider().streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(seen[0]?.path).toBe(`${PATH}/converse-stream`);
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'usage', 'finish']);
  });

  test('that is something else is broken, and may be tried elsewhere', async () => {
    answers = [() => new Response('<html>Bad Gateway</html>', { headers: { 'content-type': 'text/html' } })];
    expect((await failure(provider().streamChat?.(call()))).code).toBe('upstream_broken');
  });

  test('that stalls is given up', async () => {
    answers = [
      () =>
        new Response(new ReadableStream({ start: (controller) => controller.enqueue(body.subarray(0, 150)) }), {
          headers: type,
        }),
    ];
    const timeouts = { connectMs: 1_000, firstByteMs: 1_000, betweenDataMs: 20 };
    const stream = await provider({ timeouts }).streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(parts.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_timeout' } });
  });
});

describe('embeddings', () => {
  const at = { target: 'b/e', signal: new AbortController().signal };

  test('titan takes one text a call, and reports', async () => {
    answers = [1, 2, 3].map((value) => () => Response.json({ embedding: [value, 0.5], inputTextTokenCount: 3 }));
    const request = { input: ['a', 'b', 'c'], dimensions: 256 };
    const answer = await provider().embed?.({ ...at, model: 'amazon.titan-embed-text-v2:0', request });
    expect(seen.map((each) => each.path)).toEqual(
      Array<string>(3).fill('/model/amazon.titan-embed-text-v2%3A0/invoke'),
    );
    expect(seen[0]?.json).toEqual({ inputText: 'a', dimensions: 256 });
    expect(answer?.result().vectors).toHaveLength(3);
    expect(answer?.usage).toMatchObject({ inputTokens: 9, basis: 'reported' });
  });

  test('cohere takes many, in either form of answer, counted by a header', async () => {
    const headers = { 'x-amzn-bedrock-input-token-count': '5' };
    answers = [
      () => Response.json({ embeddings: { float: Array.from({ length: 96 }, () => [1]) } }, { headers }),
      () => Response.json({ embeddings: [[2]] }, { headers }),
    ];
    const request = { input: Array<string>(97).fill('x'), purpose: 'query' as const, dimensions: 512 };
    const answer = await provider().embed?.({ ...at, model: 'cohere.embed-v4:0', request });
    expect(seen[1]?.json).toEqual({
      texts: ['x'],
      input_type: 'search_query',
      embedding_types: ['float'],
      output_dimension: 512,
    });
    expect(
      answer
        ?.result()
        .vectors.map((vector) => vector[0])
        .slice(-2)
        .sort(),
    ).toEqual([1, 2]);
    expect(answer?.usage).toMatchObject({ inputTokens: 10, basis: 'reported' });
  });

  test('what is not counted is estimated; what is missing is an error', async () => {
    answers = [() => Response.json({ embeddings: [[2]] }), () => Response.json({ embeddings: [] })];
    const model = 'cohere.embed-multilingual-v3';
    expect((await provider().embed?.({ ...at, model, request: { input: ['関所'] } }))?.usage.basis).toBe('estimated');
    expect((await failure(provider().embed?.({ ...at, model, request: { input: ['a'] } }))).code).toBe(
      'upstream_broken',
    );
  });

  test.each([
    ['cohere.embed-english-v3', { dimensions: 8 }, 'dimensions'],
    ['amazon.titan-embed-text-v1', { dimensions: 8 }, 'dimensions'],
    ['meta.llama3-8b-instruct-v1:0', {}, 'embeddings with the model meta.llama3-8b-instruct-v1:0'],
  ])('%s does not do %p', async (model, more, named) => {
    const error = await failure(provider().embed?.({ ...at, model, request: { input: ['a'], ...more } }));
    expect([error.code, error.values['parameters']]).toEqual(['unsupported_parameter', named]);
  });
});

test('tokens are counted of what is read, by the model and not by its profile', async () => {
  answers = [
    () => Response.json({ inputTokens: 31 }),
    () => Response.json({}),
    () => Response.json({ message: 'The provided model doesn\u2019t support counting tokens.' }, { status: 400 }),
  ];
  const counted = { ...call({ temperature: 1 }), model: `us.${MODEL}` };
  expect(await provider().countTokens?.(counted)).toBe(31);
  expect(seen[0]?.path).toBe(`${PATH}/count-tokens`);
  expect(seen[0]?.json).toEqual({
    input: { converse: { messages: [{ role: 'user', content: [{ text: 'Is the gate open?' }] }] } },
  });
  expect((await failure(provider().countTokens?.(call()))).code).toBe('upstream_broken');
  expect((await failure(provider().countTokens?.(call()))).code).toBe('upstream_not_found');
});

test('models are listed with the profiles that call them', async () => {
  answers = [
    () => Response.json({ modelSummaries: [{ modelId: 'a' }, { modelId: 7 }] }),
    () => Response.json({ inferenceProfileSummaries: [{ inferenceProfileId: 'us.a' }] }),
    () => Response.json({ modelSummaries: [{ modelId: 'a' }] }),
    () => Response.json({ message: 'no' }, { status: 403 }),
    () => Response.json({ modelSummaries: [] }),
    () => Response.json({ message: 'no' }, { status: 500 }),
  ];
  const { signal } = new AbortController();
  expect(await provider().listModels?.(signal)).toEqual(['us.a', 'a']);
  expect(await provider().listModels?.(signal)).toEqual(['a']);
  await provider().probe?.(signal);
  expect((await failure(provider().probe?.(signal))).code).toBe('upstream_failed');
});

describe('usage', () => {
  const none = { cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0, basis: 'reported' as const };
  test.each([
    ['plain', { inputTokens: 18, outputTokens: 46, totalTokens: 64 }, { ...none, inputTokens: 18, outputTokens: 46 }],
    [
      'what was read from and written to the cache is part of the prompt',
      { inputTokens: 16, outputTokens: 9, cacheReadInputTokens: 100, cacheWriteInputTokens: 2387 },
      { ...none, inputTokens: 2503, outputTokens: 9, cachedInputTokens: 100, cacheWriteTokens: 2387 },
    ],
    [
      'what is kept for an hour is told apart',
      { inputTokens: 1, outputTokens: 1, cacheWriteInputTokens: 9, cacheDetails: [{ ttl: '1h', inputTokens: 5 }] },
      { ...none, inputTokens: 10, outputTokens: 1, cacheWriteTokens: 9, longCacheWriteTokens: 5 },
    ],
    ['nonsense', { inputTokens: -5, outputTokens: 'x' }, { ...none, inputTokens: 0, outputTokens: 0 }],
  ])('%s', (_, given, expected) => {
    expect(decodeUsage(given)).toEqual(expected);
  });
});
