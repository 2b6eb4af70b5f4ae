import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import type { ChatCall, EmbeddingCall } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { createKserveProvider } from './kserve-provider.ts';

let seen: string[] = [];
let bodies: string[] = [];
let loaded = new Set<string>();
let hasGenerate = true;
let loadAnswer: () => Promise<Response> = async () => new Response('');
const tensors = {
  inputs: [{ name: 'text_input', datatype: 'BYTES', shape: [-1, 1] }],
  outputs: [
    { name: 'text_output', datatype: 'BYTES', shape: [-1] },
    { name: 'vectors', datatype: 'FP32', shape: [-1, 2] },
  ],
};
/** Behaves as Triton does in explicit mode: 400 for what is not loaded, empty bodies for what went well. */
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    const path = new URL(request.url).pathname;
    seen.push(path);
    const body = await request.text();
    bodies.push(body);
    if (path === '/v2/repository/index') {
      return Response.json([{ name: 'm', state: loaded.has('m') ? 'READY' : 'UNAVAILABLE' }]);
    }
    if (path === '/v2/health/ready') return new Response('');
    const [, model = '', verb] = /^\/v2\/(?:repository\/)?models\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    if (verb === 'load') {
      const answer = await loadAnswer();
      if (answer.ok) loaded.add(model);
      return answer;
    }
    if (verb === 'unload') {
      loaded.delete(model);
      return new Response('');
    }
    const unknown = { error: `Request for unknown model: '${model}' is not found` };
    if (!loaded.has(model)) return Response.json(unknown, { status: 400 });
    if (verb === 'ready') return new Response('');
    if (verb === undefined) return Response.json({ name: model, ...tensors });
    if (verb === 'infer') {
      const texts: unknown = JSON.parse(body).inputs[0].data;
      const count = Array.isArray(texts) ? texts.length : 0;
      const data = body.includes('"vectors"') ? Array.from({ length: count * 2 }, (_, place) => place) : ['by tensors'];
      const name = body.includes('"vectors"') ? 'vectors' : 'text_output';
      return Response.json({ outputs: [{ name, datatype: 'FP32', shape: [count, 2], data }] });
    }
    if (!hasGenerate) return Response.json({ error: 'Not Found' }, { status: 404 });
    if (verb === 'generate') return Response.json({ model_name: model, text_output: 'The gate is open.' });
    const stream = 'data: {"text_output":"The gate"}\n\ndata: {"text_output":" is open."}\n\n';
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  },
});
afterAll(() => server.stop(true));

let timers: { ms: number; act: () => void }[] = [];
const after = (ms: number, act: () => void) => {
  const timer = { ms, act };
  timers.push(timer);
  return () => void (timers = timers.filter((each) => each !== timer));
};
beforeEach(() => {
  seen = [];
  bodies = [];
  timers = [];
  loaded = new Set();
  hasGenerate = true;
  loadAnswer = async () => new Response('');
});

const make = (idleUnloadMs?: number) =>
  createKserveProvider({
    name: 'k',
    baseUrl: `http://127.0.0.1:${server.port}`,
    timeouts: { connectMs: 1_000, firstByteMs: 2_000, betweenDataMs: 2_000 },
    nowMs: () => 7,
    after,
    ...(idleUnloadMs !== undefined && { idleUnloadMs }),
  });
const call = (request: Partial<ChatRequest> = {}, signal = new AbortController().signal): ChatCall => ({
  model: 'm',
  target: 'k/m',
  signal,
  request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'Open?' }] }], ...request }),
});
const embedding = (input: string[]): EmbeddingCall => ({ ...call(), request: { input } });
const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => expect.unreachable(),
    (thrown: SekishoError) => thrown,
  );
const loads = () => seen.filter((path) => path.endsWith('/load')).length;
const unloads = () => seen.filter((path) => path.endsWith('/unload')).length;
const text = [{ type: 'text', text: 'The gate is open.' }] as const;

describe('text', () => {
  test('by the generate extension', async () => {
    const answer = await make().chat?.(call({ maxOutputTokens: 5 }));
    expect(answer?.result()).toMatchObject({ parts: [...text], finish: 'stop', usage: { basis: 'estimated' } });
    expect(JSON.parse(bodies.at(-1) ?? '')).toEqual({
      text_input: 'Open?',
      parameters: { max_tokens: 5, stream: false },
    });
  });

  test('streamed', async () => {
    const stream = await make().streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'text', 'usage', 'finish']);
  });

  test('by tensors where the server has no such extension', async () => {
    hasGenerate = false;
    const provider = make();
    expect((await provider.chat?.(call()))?.result().parts).toEqual([{ type: 'text', text: 'by tensors' }]);
    const stream = await provider.streamChat?.(call());
    const parts = (await Array.fromAsync(stream?.frames ?? [])).flatMap((frame) => frame.parts);
    expect(parts).toContainEqual({ type: 'text', text: 'by tensors' });
  });

  test('what it cannot carry is refused by name', async () => {
    const thrown = await failure(make().chat?.(call({ tools: [{ name: 'f', parameters: {} }], stop: ['x'] })));
    expect(thrown.code).toBe('unsupported_parameter');
    expect(thrown.values['parameters']).toBe('tools, stop');
  });
});

test('embeddings are cut into one vector for each text', async () => {
  const answer = await make().embed?.(embedding(['a', 'b']));
  expect(answer?.result().vectors).toEqual([Float32Array.of(0, 1), Float32Array.of(2, 3)]);
  expect(bodies.at(-1)).toContain('"shape":[2,1]');
});

describe('a model', () => {
  test('is loaded once for all who wait for it', async () => {
    const provider = make();
    await Promise.all([provider.chat?.(call()), provider.chat?.(call()), provider.embed?.(embedding(['a']))]);
    await provider.chat?.(call());
    expect(loads()).toBe(1);
  });

  test('that is ready is not loaded', async () => {
    loaded.add('m');
    await make().chat?.(call());
    expect(loads()).toBe(0);
  });

  test('is loaded again where the server dropped it', async () => {
    const provider = make();
    await provider.chat?.(call());
    loaded.clear();
    expect((await provider.chat?.(call()))?.result().parts).toEqual([...text]);
    expect(loads()).toBe(2);
  });

  test('that fails to load says so, and may be tried again', async () => {
    const provider = make();
    loadAnswer = async () => Response.json({ error: "failed to load 'm', failed to poll" }, { status: 400 });
    expect((await failure(provider.chat?.(call()))).code).toBe('upstream_not_found');
    loadAnswer = async () => new Response('');
    expect((await provider.chat?.(call()))?.result().parts).toEqual([...text]);
  });

  test('that does not load in time is given up, and so is a wait that the caller leaves', async () => {
    const provider = make();
    const begun = Promise.withResolvers<void>();
    loadAnswer = () => {
      begun.resolve();
      return new Promise(() => undefined);
    };
    const leaver = new AbortController();
    const left = failure(provider.chat?.(call({}, leaver.signal)));
    const stayed = failure(provider.chat?.(call()));
    await begun.promise;
    leaver.abort();
    expect((await left).code).toBe('caller_left');
    for (const timer of timers) timer.act();
    expect((await stayed).code).toBe('upstream_timeout');
  });

  test('is unloaded when idle, not while a stream runs, and loaded again', async () => {
    const provider = make(60_000);
    const stream = await provider.streamChat?.(call());
    await provider.chat?.(call());
    expect(timers).toEqual([]);
    await Array.fromAsync(stream?.frames ?? []);
    expect(timers.map(({ ms }) => ms)).toEqual([60_000]);
    timers[0]?.act();
    await provider.chat?.(call());
    expect([loads(), unloads()]).toEqual([2, 1]);
  });

  test('stays where no time was set', async () => {
    await make().chat?.(call());
    expect(timers).toEqual([]);
  });

  test('has a state, and the server a list', async () => {
    const provider = make();
    const { signal } = new AbortController();
    expect(await provider.repository?.state('m', signal)).toBe('unloaded');
    expect(await provider.repository?.state('other', signal)).toBe('unknown');
    await provider.repository?.load('m', signal);
    expect(await provider.repository?.state('m', signal)).toBe('ready');
    expect(await provider.listModels?.(signal)).toEqual(['m']);
    await provider.probe?.(signal);
  });
});
