import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { traceStep } from '../../src/gateway/call-trace.ts';
import { Secret } from '../../src/lib/secret.ts';
import type { CallTracer } from '../../src/ports/call-trace.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import type { LedgerEntry } from '../../src/spec/ledger.ts';
import { noUsage } from '../../src/spec/usage.ts';
import { createTracing, type Tracing } from '../../src/telemetry/tracing.ts';
import { eventually } from '../support/eventually.ts';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts';

const CREDENTIAL = 'collector-credential-4711';
const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let receiver: OtlpReceiver;
let tracing: Tracing;
let dropped = 0;
beforeEach(() => {
  receiver = startOtlpReceiver();
  dropped = 0;
  tracing = open(1);
});
afterEach(async () => {
  await tracing.close(100);
  await receiver.stop();
});

function open(sample: number, random = () => 0.5): Tracing {
  return createTracing({
    otlpUrl: receiver.url,
    headers: { authorization: new Secret(`Bearer ${CREDENTIAL}`) },
    sample,
    random,
    delayMs: 5,
    onDropped: (count) => (dropped += count),
  });
}

const call: Parameters<CallTracer['open']>[0] = {
  requestId: 'req_1',
  operation: 'chat',
  route: 'fast',
  principal: {
    tenantId: 'ten_a',
    keyId: 'key_a',
    name: 'app',
    role: 'member',
    allowedRoutes: [],
    limits: {},
    team: 'search',
  },
  streamed: true,
};

const entry: LedgerEntry = {
  id: 'led_1',
  requestId: 'req_1',
  tenantId: 'ten_a',
  keyId: 'key_a',
  atMs: 0,
  operation: 'chat',
  route: 'fast',
  target: 'spare/gpt-4o-mini',
  wire: 'openai',
  upstreamModel: 'gpt-4o-mini',
  usage: { ...noUsage('reported'), inputTokens: 100, cachedInputTokens: 64, outputTokens: 20, reasoningTokens: 5 },
  costMicros: 1_500,
  outcome: 'ok',
  cache: 'miss',
  attempts: 2,
  streamed: true,
  durationMs: 40,
  firstByteMs: 12,
};

const arrived = (count: number) => eventually(`${count} spans`, () => receiver.spans.length >= count && receiver.spans);
const named = (name: string) => {
  const span = receiver.spans.find((each) => each.name === name);
  if (span === undefined) throw new Error(`There is no span ${name}.`);
  return span;
};

function opened(traceParent?: string) {
  const trace = tracing.tracer.open({ ...call, ...(traceParent !== undefined && { traceParent }) });
  if (trace === undefined) throw new Error('The call is not traced.');
  return trace;
}

describe('the trace of a call', () => {
  test('has the call, its steps and its attempts, by the conventions', async () => {
    const trace = opened();
    await traceStep(trace, { name: 'admit', attributes: { limits: 2 } }, () => Promise.resolve());
    const first = trace.span('attempt', {
      target: 'up/gpt-4o-mini',
      wire: 'openai',
      model: 'gpt-4o-mini',
      url: 'https://user:password@api.test/v1/chat?key=secret-in-url',
    });
    first.end(new SekishoError('upstream_timeout', { values: { target: 'up' } }));
    const second = trace.span('attempt', { target: 'spare/gpt-4o-mini', url: 'http://127.0.0.1:8080/v1' });
    second.set({ retry: 1 });
    second.end();
    trace.end(entry);
    await arrived(4);

    const root = named('chat fast');
    expect(root).toMatchObject({ kind: 2, parentSpanId: '', status: 0, traceId: trace.traceId });
    expect(root.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'fast',
      'gen_ai.provider.name': 'openai',
      'gen_ai.response.model': 'gpt-4o-mini',
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 20,
      'gen_ai.usage.cache_read.input_tokens': 64,
      'gen_ai.usage.reasoning.output_tokens': 5,
      'sekisho.request_id': 'req_1',
      'sekisho.team': 'search',
      'sekisho.streamed': true,
      'sekisho.target': 'spare/gpt-4o-mini',
      'sekisho.cost_usd': 0.0015,
      'sekisho.cache': 'miss',
      'sekisho.attempts': 2,
    });
    expect(named('admit')).toMatchObject({ kind: 1, parentSpanId: root.spanId, attributes: { 'sekisho.limits': 2 } });
    const failed = named('chat gpt-4o-mini');
    expect(failed).toMatchObject({ kind: 3, parentSpanId: root.spanId, status: 2 });
    expect(failed.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o-mini',
      'sekisho.target': 'up/gpt-4o-mini',
      'server.address': 'api.test',
      'server.port': 443,
      'error.type': 'upstream_timeout',
    });
    expect(named('chat').attributes).toMatchObject({ 'server.port': 8080, 'sekisho.retry': 1 });
    for (const span of receiver.spans) {
      expect(span.traceId).toBe(trace.traceId);
      expect(span.endNs >= span.startNs).toBe(true);
    }
    expect(receiver.headers[0]?.get('authorization')).toBe(`Bearer ${CREDENTIAL}`);
  });

  test('X1: holds no credential, no address beyond its host, no message of an error', async () => {
    const trace = opened();
    const cause = new Error('sk-live-abcdefghijklmnop');
    const error = new SekishoError('invalid_request', { values: { problem: 'the prompt: my diagnosis' }, cause });
    trace
      .span('attempt', { target: 'Bearer abcdefghijklmnop', url: 'https://user:password@h.test/p?key=abc' })
      .end(error);
    trace.span('route', { name: 'a\u001b[31m\r\nb' }).end();
    trace.end({ ...entry, upstreamModel: 'sk-live-abcdefghijklmnop' }, error);
    await arrived(3);
    const sent = receiver.bodies.join('');
    for (const secret of ['abcdefghijklmnop', 'password', 'diagnosis', 'key=abc', '\\u001b', CREDENTIAL]) {
      expect(sent).not.toContain(secret);
    }
    expect(named('chat fast').attributes['error.type']).toBe('invalid_request');
  });

  test('joins the trace of its caller, and hands it to the upstream with the attempt as parent', async () => {
    const trace = opened(CALLER);
    expect(trace.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    const attempt = trace.span('attempt', { model: 'm' });
    const header = attempt.headers?.()['traceparent'];
    attempt.end();
    expect(trace.span('route').headers).toBeUndefined();
    trace.end(entry);
    await arrived(2);
    expect(named('chat fast').parentSpanId).toBe('b7ad6b7169203331');
    expect(header).toBe(`00-${trace.traceId}-${named('chat m').spanId}-01`);
  });

  test('a step that is still open ends with the call, and nothing ends twice', async () => {
    const trace = opened();
    const step = trace.span('guard_out');
    trace.end(entry);
    step.end();
    trace.end(entry);
    trace.refuse(new SekishoError('internal'));
    await arrived(2);
    await tracing.close();
    expect(receiver.spans.map(({ name, status }) => [name, status])).toEqual([
      ['guard_out', 0],
      ['chat fast', 0],
    ]);
  });

  test('a call that is refused ends with the reason; a caller who leaves is no error', async () => {
    opened().refuse(new SekishoError('budget_exhausted'));
    opened().end({ ...entry, outcome: 'aborted' }, new SekishoError('caller_left'));
    await arrived(2);
    expect(receiver.spans.map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [2, 'budget_exhausted'],
      [0, undefined],
    ]);
  });

  test('a step whose work fails ends with the error and throws it on; without a trace only the work is done', async () => {
    const trace = opened();
    const failure = new SekishoError('rate_limited', { values: { limit: '', seconds: 1 } });
    const failing = () => Promise.reject(failure);
    expect(traceStep(trace, { name: 'admit' }, failing)).rejects.toBe(failure);
    expect(await traceStep(undefined, { name: 'admit' }, () => Promise.resolve(5))).toBe(5);
    trace.refuse(failure);
    await arrived(2);
    expect(named('admit')).toMatchObject({ status: 2, attributes: { 'error.type': 'rate_limited' } });
  });
});

describe('which calls are traced', () => {
  test('by the share, unless the caller has decided', () => {
    const some = open(0.5, () => 0.5);
    expect(some.tracer.open(call)).toBeUndefined();
    expect(open(0.51, () => 0.5).tracer.open(call)).toBeDefined();
    expect(open(0).tracer.open(call)).toBeUndefined();
    expect(open(0).tracer.open({ ...call, traceParent: CALLER })).toBeDefined();
    expect(tracing.tracer.open({ ...call, traceParent: CALLER.replace(/01$/, '00') })).toBeUndefined();
  });

  test('a header that is not valid counts as not given', () => {
    for (const traceParent of [
      '',
      'nonsense',
      CALLER.toUpperCase(),
      CALLER.replace(/^00/, 'ff'),
      `${CALLER}-more`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
      `${CALLER}${'x'.repeat(10_000)}`,
    ]) {
      expect(opened(traceParent).traceId).not.toBe('0af7651916cd43dd8448eb211c80319c');
      expect(open(0).tracer.open({ ...call, traceParent })).toBeUndefined();
    }
    expect(opened(`01${CALLER.slice(2)}-later`).traceId).toBe('0af7651916cd43dd8448eb211c80319c');
  });
});

describe('a collector in trouble', () => {
  test('that refuses is not asked without end, and the loss is counted', async () => {
    receiver.answerWith(400);
    opened().end(entry);
    await eventually('the loss is counted', () => dropped === 1);
  });

  test('that never answers holds up neither calls nor the end; the queue is bounded', async () => {
    receiver.answerWith('never');
    for (let i = 0; i < 6_000; i++) opened().end(entry);
    expect(dropped).toBe(6_000 - 4_096);
    const started = performance.now();
    await tracing.close(50);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('gets at the end what still waits', async () => {
    const slow = createTracing({ otlpUrl: receiver.url, headers: {}, sample: 1, delayMs: 60_000 });
    for (let i = 0; i < 3; i++) slow.tracer.open(call)?.end(entry);
    await slow.close();
    expect(receiver.spans).toHaveLength(3);
  });
});
