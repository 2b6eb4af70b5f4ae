import { describe, expect, test } from 'bun:test';
import type { EmbeddingAnswer, EmbeddingCall, Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';
import type { ResolvedTarget } from '../routing/plan.ts';
import { createEmbedBatcher } from './embed-batcher.ts';

const endpointOf = (name: string): Provider => ({ name, wire: 'openai' });
const targetOf = (endpoint: Provider, model = 'm'): ResolvedTarget => ({
  name: `${endpoint.name}/${model}`,
  key: `${endpoint.name}/${model}`,
  place: endpoint.name,
  provider: endpoint.name,
  model,
  weight: 1,
  endpoint,
  policy: {},
});
const UP = targetOf(endpointOf('up'));

function callOf(input: string[], more: Partial<EmbeddingCall> = {}): EmbeddingCall {
  return { model: 'm', target: 'up/m', signal: new AbortController().signal, request: { input }, ...more };
}
const native = (json: Record<string, string>) => ({
  native: { wire: 'openai' as const, text: JSON.stringify(json), json },
});

/** An upstream whose answers are given by hand: the vector of a text is its length and its first character. */
function setUp(options: { maxInputs?: number; maxTokens?: number } = {}) {
  const sent: { target: string; call: EmbeddingCall; answer: () => void; fail: (error: Error) => void }[] = [];
  const timers: (() => void)[] = [];
  const batches: { calls: number; inputs: number; waitedMs: number }[] = [];
  const clock = { now: 0, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const batcher = createEmbedBatcher({
    waitMs: 3,
    maxInputs: options.maxInputs ?? 8,
    ...(options.maxTokens !== undefined && { maxTokens: options.maxTokens }),
    clock,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        expect(ms).toBe(3);
        timers.push(resolve);
        signal.addEventListener('abort', () => reject(new Error('ended')));
      }),
    send: (target, call) =>
      new Promise<EmbeddingAnswer>((resolve, reject) => {
        sent.push({ target: target.name, call, answer: () => resolve(answerTo(call)), fail: reject });
      }),
    onBatch: (batch) => void batches.push(batch),
  });
  const inputs = (): string[][] => sent.map(({ call }) => call.request.input);
  return { batcher, sent, timers, batches, clock, inputs };
}

function answerTo({ request, native: body }: EmbeddingCall): EmbeddingAnswer {
  const usage = { ...noUsage('reported'), inputTokens: request.input.length * 10 };
  const vectors = request.input.map((text) => Float32Array.of(text.length, text.charCodeAt(0)));
  return {
    usage,
    ...(body && { native: { wire: 'openai' as const, text: `native of ${request.input.join()}` } }),
    result: () => ({ model: 'm', vectors, usage }),
  };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};
const vectorsOf = async (answer: Promise<EmbeddingAnswer>): Promise<number[][]> =>
  (await answer).result().vectors.map((vector) => [...vector]);
const codeOf = (answer: Promise<EmbeddingAnswer>): Promise<unknown> =>
  answer.then(
    () => 'ok',
    (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : thrown),
  );

describe('batches of embedding calls', () => {
  test('a lone call goes at once, as it came, and its answer comes back as it is', async () => {
    const { batcher, sent, timers } = setUp();
    const call = callOf(['a'], native({ input: 'a' }));
    const answer = batcher.embed(UP, call);
    expect(sent[0]?.call).toBe(call);
    expect(timers).toHaveLength(0);
    sent[0]?.answer();
    expect((await answer).native?.text).toBe('native of a');
  });

  test('what comes while the target is busy waits a little and goes as one; each gets its own', async () => {
    const { batcher, sent, timers, batches, clock, inputs } = setUp();
    const first = batcher.embed(UP, callOf(['a']));
    const others = [batcher.embed(UP, callOf(['bb', 'ccc'])), batcher.embed(UP, callOf(['dddd']))];
    expect(inputs()).toEqual([['a']]);
    clock.now = 3;
    timers[0]?.();
    await settle();
    expect(inputs()).toEqual([['a'], ['bb', 'ccc', 'dddd']]);
    expect(batches).toMatchObject([{ calls: 2, inputs: 3, waitedMs: 3 }]);
    for (const { answer } of sent) answer();
    expect(await vectorsOf(first)).toEqual([[1, 97]]);
    expect(await Promise.all(others.map(vectorsOf))).toEqual([
      [
        [2, 98],
        [3, 99],
      ],
      [[4, 100]],
    ]);
  });

  test('usage is shared by tokens and adds up', async () => {
    const { batcher, sent, timers } = setUp();
    const first = batcher.embed(UP, callOf(['a']));
    const others = [callOf(['x'.repeat(40)]), callOf(['x'.repeat(80)]), callOf(['x'])];
    const answers = others.map((call) => batcher.embed(UP, call));
    timers[0]?.();
    await settle();
    for (const { answer } of sent) answer();
    const usages = (await Promise.all(answers)).map(({ usage }) => usage.inputTokens);
    expect(usages).toEqual([10, 19, 1]);
    expect((await answers[0])?.result().usage.inputTokens).toBe(10);
    await first;
  });

  test('when the target is free again, who waits goes without waiting longer', async () => {
    const { batcher, sent, inputs } = setUp();
    const first = batcher.embed(UP, callOf(['a']));
    const second = batcher.embed(UP, callOf(['b'], native({ input: 'b' })));
    sent[0]?.answer();
    await first;
    await settle();
    expect(inputs()).toEqual([['a'], ['b']]);
    sent[1]?.answer();
    expect((await second).native?.text).toBe('native of b');
  });

  test('a batch holds no more inputs than allowed, and goes at once when it is full', async () => {
    const { batcher, inputs, timers } = setUp({ maxInputs: 3 });
    for (const input of [['a'], ['b', 'c'], ['d']]) void batcher.embed(UP, callOf(input));
    await settle();
    expect(inputs()).toEqual([['a'], ['b', 'c', 'd']]);
    for (const input of [
      ['e', 'f'],
      ['g', 'h'],
      ['i', 'j', 'k'],
    ])
      void batcher.embed(UP, callOf(input));
    await settle();
    expect(inputs().slice(2)).toEqual([
      ['e', 'f'],
      ['i', 'j', 'k'],
    ]);
    timers.at(-1)?.();
    await settle();
    expect(inputs().at(-1)).toEqual(['g', 'h']);
  });

  test('a batch holds no more tokens than allowed', async () => {
    const { batcher, inputs } = setUp({ maxTokens: 100 });
    const [large, small] = ['x'.repeat(392), 'y'.repeat(12)];
    for (const text of ['a', large, 'b', 'c', small]) void batcher.embed(UP, callOf([text]));
    await settle();
    expect(inputs()).toEqual([['a'], [large, 'b', 'c']]);
  });

  test('who has left takes no room in the batch', async () => {
    const { batcher, inputs } = setUp({ maxInputs: 3 });
    const leaving = new AbortController();
    void batcher.embed(UP, callOf(['a']));
    const gone = batcher.embed(UP, callOf(['b', 'c'], { signal: leaving.signal }));
    leaving.abort();
    expect(await codeOf(gone)).toBe('caller_left');
    for (const text of ['d', 'e']) void batcher.embed(UP, callOf([text]));
    await settle();
    expect(inputs()).toEqual([['a']]);
    void batcher.embed(UP, callOf(['f']));
    await settle();
    expect(inputs()[1]).toEqual(['d', 'e', 'f']);
  });

  test('only the like are put together: not other endpoints, models, dimensions, purposes, users or headers', async () => {
    const { batcher, sent, timers, inputs } = setUp();
    const other = targetOf(endpointOf('up'));
    const different: [ResolvedTarget, EmbeddingCall][] = [
      [UP, callOf(['0'])],
      [other, callOf(['1'])],
      [UP, callOf(['2'], { model: 'n' })],
      [UP, callOf(['3'], { request: { input: ['3'], dimensions: 64 } })],
      [UP, callOf(['4'], { request: { input: ['4'], purpose: 'query' } })],
      [UP, callOf(['5'], { request: { input: ['5'], endUser: 'u' } })],
      [UP, callOf(['6'], { forwardHeaders: { 'openai-beta': 'x' } })],
      [UP, callOf(['7'], { onUncarried: () => undefined })],
      [UP, callOf(['8'], native({ input: '8', truncate: 'START' }))],
    ];
    // Each is alone of its kind: it goes at once.
    for (const [target, call] of different) void batcher.embed(target, call);
    expect(inputs()).toEqual(different.map(([, { request }]) => request.input));
    const again = different.map(([target, call]) => batcher.embed(target, call));
    for (const timer of timers) timer();
    await settle();
    expect(inputs().every((input) => input.length === 1)).toBe(true);
    for (const { answer } of sent) answer();
    await Promise.all(again);
  });

  test('who leaves is refused at once and changes nothing for the others', async () => {
    const { batcher, sent, timers, inputs } = setUp();
    void batcher.embed(UP, callOf(['a']));
    const [early, late] = [new AbortController(), new AbortController()];
    const answers = [
      batcher.embed(UP, callOf(['b'], { signal: early.signal })),
      batcher.embed(UP, callOf(['c'], { signal: late.signal })),
      batcher.embed(UP, callOf(['d'])),
    ];
    early.abort();
    expect(await codeOf(answers[0]!)).toBe('caller_left');
    timers[0]?.();
    await settle();
    expect(inputs()[1]).toEqual(['c', 'd']);
    late.abort();
    expect(await codeOf(answers[1]!)).toBe('caller_left');
    expect(sent[1]?.call.signal.aborted).toBe(false);
    sent[1]?.answer();
    expect(await vectorsOf(answers[2]!)).toEqual([[1, 100]]);
    expect(await codeOf(batcher.embed(UP, callOf(['e'], { signal: AbortSignal.abort() })))).toBe('caller_left');
  });

  test('when everybody has left, the upstream is left', async () => {
    const { batcher, sent, timers } = setUp();
    void batcher.embed(UP, callOf(['a']));
    const leaving = [new AbortController(), new AbortController()];
    const answers = leaving.map(({ signal }) => batcher.embed(UP, callOf(['b'], { signal })));
    timers[0]?.();
    await settle();
    leaving[0]?.abort();
    expect(sent[1]?.call.signal.aborted).toBe(false);
    leaving[1]?.abort();
    expect(sent[1]?.call.signal.aborted).toBe(true);
    expect(await Promise.all(answers.map(codeOf))).toEqual(['caller_left', 'caller_left']);
  });

  test('of a refused batch only the bad one fails', async () => {
    const { batcher, sent, timers } = setUp({ maxInputs: 20 });
    void batcher.embed(UP, callOf(['a']));
    const answers = Array.from({ length: 9 }, (_, at) => batcher.embed(UP, callOf([at === 4 ? 'bad' : `good${at}`])));
    timers[0]?.();
    for (let judged = 1; judged < 40; judged++) {
      await settle();
      const asked = sent[judged];
      if (asked === undefined) break;
      if (asked.call.request.input.includes('bad')) asked.fail(new SekishoError('upstream_rejected'));
      else asked.answer();
    }
    const codes = await Promise.all(answers.map(codeOf));
    expect(codes.filter((code) => code === 'ok')).toHaveLength(8);
    expect(codes[4]).toBe('upstream_rejected');
    expect(await vectorsOf(answers[5]!)).toEqual([[5, 103]]);
    // Halves, and halves of halves: fewer than one call each.
    expect(sent.length).toBeLessThanOrEqual(10);
  });

  test('what is nobody’s fault fails everybody without being asked again', async () => {
    for (const code of ['upstream_failed', 'upstream_timeout', 'upstream_rate_limited'] as const) {
      const { batcher, sent, timers } = setUp();
      void batcher.embed(UP, callOf(['a']));
      const answers = [batcher.embed(UP, callOf(['b'])), batcher.embed(UP, callOf(['c']))];
      timers[0]?.();
      await settle();
      sent[1]?.fail(new SekishoError(code));
      expect(await Promise.all(answers.map(codeOf))).toEqual([code, code]);
      expect(sent).toHaveLength(2);
    }
  });

  test('an answer with too few vectors is nobody’s answer', async () => {
    const { batcher, sent, timers } = setUp();
    void batcher.embed(UP, callOf(['a']));
    const answers = [batcher.embed(UP, callOf(['b'])), batcher.embed(UP, callOf(['c']))];
    timers[0]?.();
    await settle();
    const short = sent[1]!;
    short.call.request.input.pop();
    short.answer();
    expect(await Promise.all(answers.map(codeOf))).toEqual(['upstream_broken', 'upstream_broken']);
  });

  test('a model in this process is asked at once', () => {
    const { batcher, inputs } = setUp();
    const local = targetOf({ name: 'up', wire: 'static' });
    for (const text of ['a', 'b']) void batcher.embed(local, callOf([text]));
    expect(inputs()).toEqual([['a'], ['b']]);
  });

  test('with one input a call batching is off, and large calls never wait', () => {
    const off = setUp({ maxInputs: 1 });
    for (const text of ['a', 'b']) void off.batcher.embed(UP, callOf([text]));
    expect(off.inputs()).toEqual([['a'], ['b']]);
    const { batcher, inputs } = setUp({ maxInputs: 2 });
    void batcher.embed(UP, callOf(['a']));
    void batcher.embed(UP, callOf(['b', 'c']));
    expect(inputs()).toEqual([['a'], ['b', 'c']]);
  });
});
