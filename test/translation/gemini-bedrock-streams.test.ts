import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { Secret } from '../../src/lib/secret.ts';
import type { ChatCall, ChatStream, Provider } from '../../src/ports/provider.ts';
import { createBedrockProvider } from '../../src/providers/bedrock/bedrock-provider.ts';
import { createGeminiProvider } from '../../src/providers/gemini/gemini-provider.ts';
import type { Timeouts } from '../../src/providers/kit/upstream.ts';
import type { ChatRequest, ContentPart, StreamPart } from '../../src/spec/chat.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import type { AnswerName } from '../support/fake-provider/behaviour.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';

let upstream: FakeProvider;
beforeAll(async () => {
  upstream = await startFakeProvider();
});
afterAll(() => upstream.stop());
beforeEach(() => upstream.reset());

const PATIENT: Timeouts = { connectMs: 5_000, firstByteMs: 10_000, betweenDataMs: 10_000 };
const HASTY: Timeouts = { connectMs: 5_000, firstByteMs: 60, betweenDataMs: 60 };
const ANSWERS: readonly AnswerName[] = ['plain', 'tools', 'parallel-tools', 'json', 'thinking'];
const TEXT = 'The gate is open. 関所は開いています 🏯.';
const makers: readonly [name: string, make: (timeouts: Timeouts) => Provider, model: string][] = [
  [
    'gemini',
    (timeouts) =>
      createGeminiProvider({
        name: 'up',
        baseUrl: upstream.origin,
        credential: new Secret('AIza-4711-4711'),
        timeouts,
      }),
    'gemini-2.5-flash',
  ],
  [
    'bedrock',
    (timeouts) =>
      createBedrockProvider({
        name: 'up',
        region: 'us-east-1',
        baseUrl: upstream.origin,
        accessKeyId: 'AKIDEXAMPLE',
        secretAccessKey: new Secret('secret-access-key'),
        timeouts,
      }),
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
  ],
];

describe.each([...makers])('%s', (_, make, model) => {
  const call = (more: Partial<ChatRequest> = {}, signal = new AbortController().signal): ChatCall => ({
    model,
    target: 'up/m',
    signal,
    request: () => ({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'Is the gate open?' }] }], ...more }),
  });
  const open = (timeouts = PATIENT, signal?: AbortSignal): Promise<ChatStream> =>
    make(timeouts).streamChat?.(call({}, signal)) ?? expect.unreachable();
  const parts = async (stream: ChatStream): Promise<StreamPart[]> =>
    (await Array.fromAsync(stream.frames)).flatMap((frame) => frame.parts);
  const failure = async (opening: Promise<unknown>): Promise<string> => {
    const thrown: unknown = await opening.then(
      () => 'answered',
      (reason: unknown) => reason,
    );
    return thrown instanceof SekishoError ? thrown.code : String(thrown);
  };

  test.each([...ANSWERS])('%s says the same whole, streamed, and byte by byte', async (answer) => {
    upstream.script({ answer }, { answer }, { answer, pieces: 'byte' }, { answer, encoding: 'gzip' });
    const whole = (await make(PATIENT).chat?.(call()))?.result() ?? expect.unreachable();
    for (let turn = 0; turn < 3; turn++) {
      const streamed = joined(await parts(await open()));
      // The two recordings are of two answers, whose ids the ids of their calls carry.
      expect(withoutIds(streamed.parts)).toEqual(withoutIds(whole.parts));
      expect(streamed.finish).toBe(whole.finish);
      expect(streamed.usage).toEqual(whole.usage);
    }
  });

  test('a tool is called, and its result goes back', async () => {
    const tools = [{ name: 'get_weather', parameters: { type: 'object' } }];
    const asked = call({ tools }).request();
    const answer = (await make(PATIENT).chat?.(call({ tools })))?.result() ?? expect.unreachable();
    const used = answer.parts.find((part) => part.type === 'tool-call') ?? expect.unreachable();
    const back: ContentPart = { type: 'tool-result', id: used.id, content: [{ type: 'text', text: '{"celsius":21}' }] };
    const messages: ChatRequest['messages'] = [
      ...asked.messages,
      { role: 'assistant', parts: answer.parts },
      { role: 'user', parts: [back] },
    ];
    const last = (await make(PATIENT).chat?.(call({ tools, messages })))?.result();
    expect(last?.parts).toEqual([{ type: 'text', text: TEXT }]);
    expect(upstream.requests[1]?.body).toContain('celsius');
  });

  test('what is wished reaches the upstream', async () => {
    const format = { type: 'json-schema', name: 'gate', schema: { type: 'object' } } as const;
    const result = (await make(PATIENT).chat?.(call({ responseFormat: format })))?.result();
    expect(result?.parts[0]).toMatchObject({ type: 'text', text: expect.stringContaining('Hakone') });
    const thought = (await make(PATIENT).chat?.(call({ reasoning: { effort: 'low' } })))?.result();
    expect(thought?.parts[0]).toMatchObject({ type: 'reasoning', text: 'Six times seven: 42.' });
  });

  test.each([
    [400, 'upstream_rejected'],
    [403, 'upstream_credential'],
    [404, 'upstream_not_found'],
    [429, 'upstream_rate_limited'],
    [500, 'upstream_failed'],
    [503, 'upstream_failed'],
  ])('%d is %s', async (status, code) => {
    upstream.script({ fail: { status } }, { fail: { status } });
    expect(await failure(open())).toBe(code);
    expect(await failure(make(PATIENT).chat?.(call()) ?? expect.unreachable())).toBe(code);
  });

  test.each(['reset', 'cut', 'bad-chunk'] as const)('a connection that breaks (%s)', async (how) => {
    upstream.script(
      { break: { at: 'before-headers', how } },
      { break: { at: 'after-headers', how } },
      { break: { at: { events: 3 }, how } },
    );
    expect(await failure(open())).toMatch(/upstream_(unreachable|broken)/);
    expect(await failure(open())).toMatch(/upstream_(unreachable|broken)/);
    const seen = await parts(await open());
    expect(seen.filter((part) => part.type === 'error')).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
    expect(seen.some((part) => part.type === 'finish' || part.type === 'usage')).toBe(false);
  });

  test('an upstream that stands still is given up: before the head, before the first data, between data', async () => {
    upstream.script(
      { stall: { at: 'before-headers' } },
      { stall: { at: 'after-headers' } },
      { stall: { at: { events: 3 } } },
    );
    expect(await failure(open(HASTY))).toBe('upstream_timeout');
    expect(await failure(open(HASTY))).toBe('upstream_timeout');
    const seen = await parts(await open(HASTY));
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_timeout' } });
    await upstream.idle();
    expect(upstream.aborts).toBe(3);
  });

  test('a caller who leaves ends the call upstream', async () => {
    upstream.script({ stall: { at: { events: 3 } } });
    const controller = new AbortController();
    const stream = await open(PATIENT, controller.signal);
    const reading = parts(stream).then(
      () => 'answered',
      (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : String(thrown)),
    );
    await upstream.stalled();
    controller.abort();
    expect(await reading).toBe('caller_left');
    await (
      await upstream.request(0)
    ).aborted;
  });

  test('whoever stops reading ends the call upstream', async () => {
    upstream.script({ stall: { at: { events: 3 } } });
    for await (const _ of (await open()).frames) break;
    await (
      await upstream.request(0)
    ).aborted;
    expect(upstream.aborts).toBe(1);
  });

  test('models and embeddings', async () => {
    const models = await make(PATIENT).listModels?.(new AbortController().signal);
    expect(models).toContain(model);
    const embedder = models?.find((name) => name.includes('embed')) ?? expect.unreachable();
    const answer = await make(PATIENT).embed?.({
      ...call(),
      model: embedder,
      request: { input: ['関所', 'gate'], dimensions: 16 },
    });
    const [first, second] = answer?.result().vectors ?? [];
    expect([first?.length, second?.length]).toEqual([16, 16]);
    expect(first).not.toEqual(second ?? new Float32Array());
  });
});

/** A stream put together as its caller does. */
function joined(stream: readonly StreamPart[]): { parts: ContentPart[]; finish: unknown; usage: unknown } {
  const parts: ContentPart[] = [];
  let finish: unknown;
  let usage: unknown;
  for (const part of stream) {
    const last = parts.at(-1);
    if (part.type === 'text') {
      if (last?.type === 'text') last.text += part.text;
      else parts.push({ type: 'text', text: part.text });
    } else if (part.type === 'reasoning') {
      if (last?.type !== 'reasoning') parts.push({ type: 'reasoning', text: part.text, ...signatureOf(part) });
      else {
        last.text += part.text;
        Object.assign(last, signatureOf(part));
      }
    } else if (part.type === 'tool-call-start') {
      parts.push({ type: 'tool-call', id: part.id, name: part.name, arguments: '' });
    } else if (part.type === 'tool-call-delta') {
      const calls = parts.filter((each) => each.type === 'tool-call');
      const call = calls[part.index];
      if (call !== undefined) call.arguments += part.arguments;
    } else if (part.type === 'finish') finish = part.finish;
    else if (part.type === 'usage') usage = part.usage;
  }
  return { parts, finish, usage };
}

function signatureOf(part: { signature?: string }): { signature?: string } {
  return part.signature === undefined ? {} : { signature: part.signature };
}

function withoutIds(parts: readonly ContentPart[]): unknown[] {
  return parts.map((part) => (part.type === 'tool-call' ? { ...part, id: part.id.replace(/^call_[^_]+/, '') } : part));
}
