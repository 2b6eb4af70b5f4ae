import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventually } from '../../../test/support/eventually.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { Secret } from '../../lib/secret.ts';
import type { ChatCall, StreamFrame } from '../../ports/provider.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { createReach } from '../kit/reach.ts';
import { createOpenAiProvider, type OpenAiProviderOptions } from './openai-provider.ts';

interface Seen {
  url: string;
  headers: Headers;
  text: string;
  json: JsonObject;
  port: number | undefined;
}
let seen: Seen[] = [];
let answers: ((request: Request, body: string) => Response | Promise<Response>)[] = [];
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request, self) => {
    const text = await request.text();
    const json = parseJson(text);
    const port = self.requestIP(request)?.port;
    seen.push({ url: request.url, headers: request.headers, text, json: isJsonObject(json) ? json : {}, port });
    return (answers.shift() ?? (() => Response.json(plain)))(request, text);
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answers = [];
});

const plain = {
  id: 'c1',
  model: 'm',
  created: 1,
  choices: [{ index: 0, message: { role: 'assistant', content: 'The gate is open.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 },
};
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c1', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const whole = `${chunk({ content: 'a' })}${chunk({}, 'stop')}data: [DONE]\n\n`;
const sse = (body: string | ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { 'content-type': 'text/event-stream' } });
const base = `http://127.0.0.1:${server.port}`;
const provider = (more: Partial<OpenAiProviderOptions> = {}) =>
  createOpenAiProvider({
    name: 'up',
    baseUrl: `${base}/v1`,
    credential: new Secret('sk-credential-1'),
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 150 },
    reach: createReach(),
    ...more,
  });
const call = (body?: string, signal = new AbortController().signal): ChatCall => {
  const json = body === undefined ? undefined : parseJson(body);
  return {
    model: 'm',
    target: 'up/m',
    signal,
    request: () => ({
      messages: [{ role: 'user', parts: [{ type: 'text', text: 'Is the gate open?' }] }],
      maxOutputTokens: 9,
    }),
    ...(body !== undefined && isJsonObject(json) && { native: { wire: 'openai', text: body, json } }),
  };
};
const native = '{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}';
const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => expect.unreachable(),
    (thrown: SekishoError) => thrown,
  );

async function read(frames: AsyncIterable<StreamFrame>): Promise<{ bytes: string; parts: StreamFrame['parts'] }> {
  const read = { bytes: '', parts: [] as StreamFrame['parts'] };
  for await (const frame of frames) {
    read.bytes += Buffer.from(frame.bytes ?? []).toString();
    read.parts.push(...frame.parts);
  }
  return read;
}

describe('what goes upstream', () => {
  test('every model field is the one that was judged, also where the name stays', async () => {
    await provider().chat?.(call('{"model":"other","messages":[],"model":"m"}'));
    expect(seen[0]?.text).toBe('{"model":"m","messages":[],"model":"m"}');
  });

  test('usage is asked for on streams, beside what the caller asked for', async () => {
    answers = [() => sse(whole), () => sse(whole)];
    await provider().streamChat?.(call(native));
    await provider().streamChat?.(call(native.replace('"stream"', '"stream_options":{"x":1},"stream"')));
    expect(seen.map((each) => each.json['stream_options'])).toEqual([
      { include_usage: true },
      { x: 1, include_usage: true },
    ]);
  });

  test('an upstream that refuses to be asked for usage is asked once', async () => {
    const refusal = { message: { detail: [{ type: 'extra_forbidden', loc: ['body', 'stream_options'] }] } };
    answers = [() => Response.json(refusal, { status: 422 }), () => sse(whole), () => sse(whole)];
    const up = provider();
    for (let calls = 0; calls < 2; calls++) {
      const stream = await up.streamChat?.(call(native));
      expect((await read(stream?.frames ?? expect.unreachable())).bytes).toBe(whole);
    }
    expect(seen.map((each) => 'stream_options' in each.json)).toEqual([true, false, false]);
  });

  test('Azure: address of the deployment, api-key, the new word for the limit', async () => {
    await provider({ flavour: 'azure', baseUrl: base, apiVersion: '2024-10-21' }).chat?.(call());
    expect(seen[0]?.url).toBe(`${base}/openai/deployments/m/chat/completions?api-version=2024-10-21`);
    expect(seen[0]?.headers.get('api-key')).toBe('sk-credential-1');
    expect(seen[0]?.headers.get('authorization')).toBeNull();
    expect(seen[0]?.json['max_completion_tokens']).toBe(9);
  });

  test('responses pass through to the vendor, to Azure beside its deployments, to others only where they take them', async () => {
    const text = '{"model":"route","input":"hi","previous_response_id":"resp_0"}';
    const native = { wire: 'openai-responses' as const, text, json: { input: 'hi' } };
    const asked = { ...call(), native };
    const answer = { id: 'resp_1', status: 'completed', output: [], usage: { input_tokens: 5, output_tokens: 4 } };
    answers = [() => Response.json(answer), () => Response.json(answer)];
    const azure = provider({ flavour: 'azure', baseUrl: base, apiVersion: '2024-10-21' });
    expect(await azure.chat?.(asked)).toMatchObject({
      usage: { inputTokens: 5, outputTokens: 4, basis: 'reported' },
      native: { wire: 'openai-responses', text: JSON.stringify(answer) },
    });
    expect(seen[0]?.url).toBe(`${base}/openai/v1/responses`);
    expect(seen[0]?.text).toBe(text.replace('"route"', '"m"'));
    await provider({ forms: ['responses'] }).chat?.(asked);
    expect(seen[1]?.url).toBe(`${base}/v1/responses`);
    expect((await provider().chat?.(asked))?.native).toBeUndefined();
    expect(seen[2]?.url).toBe(`${base}/v1/chat/completions`);
  });

  test('others are told the limit by the word that all of them know', async () => {
    await provider().chat?.(call());
    expect(seen[0]?.json['max_tokens']).toBe(9);
    expect(seen[0]?.headers.get('authorization')).toBe('Bearer sk-credential-1');
  });
});

describe('plain answers', () => {
  test('usage is counted where none is reported', async () => {
    const { usage: _, ...silent } = plain;
    answers = [() => Response.json(silent)];
    const answer = await provider().chat?.(call());
    expect(answer?.usage).toMatchObject({ basis: 'estimated', inputTokens: 5, outputTokens: 5 });
  });

  test.each([
    ['an error object', { error: { message: 'no', type: 'server_error' } }, 'upstream_failed'],
    ['something else', { hello: 1 }, 'upstream_broken'],
  ])('status 200 with %s is no answer', async (_, body, code) => {
    answers = [() => Response.json(body)];
    expect((await failure(provider().chat?.(call()))).code).toBe(code as never);
  });

  test('a redirect is not followed', async () => {
    answers = [() => Response.redirect(`${base}/elsewhere`, 307)];
    expect((await failure(provider().chat?.(call()))).code).toBe('upstream_not_found');
    expect(seen).toHaveLength(1);
  });

  test('nobody listens', async () => {
    const { code } = await failure(provider({ baseUrl: 'http://127.0.0.1:1/v1' }).chat?.(call()));
    expect(code).toBe('upstream_unreachable');
  });

  test('a caller who has left costs no call', async () => {
    expect((await failure(provider().chat?.(call(undefined, AbortSignal.abort())))).code).toBe('caller_left');
    expect(seen).toHaveLength(0);
  });
});

describe('streams', () => {
  test('a plain answer in place of a stream becomes one', async () => {
    answers = [() => Response.json(plain)];
    const stream = await provider().streamChat?.(call(native));
    const { parts } = await read(stream?.frames ?? expect.unreachable());
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'usage', 'finish']);
  });

  test('an error as the first event is thrown, so that another target may be tried', async () => {
    for (const body of [native, undefined]) {
      answers = [() => sse('data: {"error":{"message":"overloaded","type":"overloaded"}}\n\n')];
      expect((await failure(provider().streamChat?.(call(body)))).code).toBe('upstream_failed');
    }
  });

  test('a body that stays open after [DONE] does not keep the caller', async () => {
    answers = [
      () =>
        sse(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode(whole)),
          }),
        ),
    ];
    const stream = await provider().streamChat?.(call(native));
    expect((await read(stream?.frames ?? expect.unreachable())).bytes).toBe(whole);
  });

  test('the connection of a complete stream serves the next call', async () => {
    const up = provider();
    for (let calls = 0; calls < 3; calls++) {
      answers = [() => sse(whole)];
      const stream = await up.streamChat?.(call(native));
      await read(stream?.frames ?? expect.unreachable());
      await eventually('the upstream has closed the body', () => server.pendingRequests === 0);
    }
    expect(new Set(seen.map((each) => each.port)).size).toBe(1);
  });

  test('the time that a slow reader takes is not the upstream\u2019s', async () => {
    answers = [() => sse(whole)];
    const stream = await provider({ timeouts: { connectMs: 500, firstByteMs: 500, betweenDataMs: 20 } }).streamChat?.(
      call(native),
    );
    const frames = (stream?.frames ?? expect.unreachable())[Symbol.asyncIterator]();
    await frames.next();
    // Time is what this test is about: four times what the upstream is given.
    await Bun.sleep(80);
    const rest = await frames.next();
    expect(rest.value?.parts.some((part: { type: string }) => part.type === 'error') ?? false).toBe(false);
  });

  test('leaving early closes the connection', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    answers = [
      (request) => {
        request.signal.addEventListener('abort', () => resolve());
        return sse(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode(chunk({ content: 'a' }))),
          }),
        );
      },
    ];
    const stream = await provider().streamChat?.(call(native));
    for await (const _ of stream?.frames ?? []) break;
    await gone;
  });
});

test('embeddings: vectors in the order of the input, counted where the upstream is silent', async () => {
  const request = { input: ['gate', '関所'] };
  const at = { model: 'm', target: 'up/m', signal: new AbortController().signal };
  answers = [
    () =>
      Response.json({
        data: [
          { index: 1, embedding: [3, 4] },
          { index: 0, embedding: [1, 2] },
        ],
      }),
  ];
  const answer = await provider().embed?.({ ...at, request });
  expect(answer?.result().vectors.map((vector) => [...vector])).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(answer?.usage).toMatchObject({ basis: 'estimated' });
  expect(answer?.usage.inputTokens).toBeGreaterThan(1);
  answers = [() => Response.json({ error: { message: 'no' } })];
  expect((await failure(provider().embed?.({ ...at, request }))).code).toBe('upstream_failed');
});

test('models are listed', async () => {
  answers = [() => Response.json({ data: [{ id: 'a' }, { id: 7 }, { id: 'b' }] })];
  expect(await provider().listModels?.(new AbortController().signal)).toEqual(['a', 'b']);
});
