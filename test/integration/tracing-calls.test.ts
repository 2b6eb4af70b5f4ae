import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const CREDENTIAL = 'sk-upstream-credential-4711';
const PROMPT = 'my-secret-diagnosis';
const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let upstream: FakeProvider;
let receiver: OtlpReceiver;
let server: TestServer;
let answer: Response;
let text: string;
let refused: Response;
let logged: string;
let metrics: string;
let spans: ReceivedSpan[];
const folder = mkdtempSync(join(tmpdir(), 'sekisho-trace-'));

beforeAll(async () => {
  upstream = await startFakeProvider();
  receiver = startOtlpReceiver();
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      providers: {
        up: { wire: 'openai', api_key: CREDENTIAL, base_url: upstream.baseUrl, models: ['gpt-4o-mini'] },
        nowhere: { wire: 'openai', api_key: CREDENTIAL, base_url: 'http://127.0.0.1:1/v1', models: ['gpt-4o-mini'] },
      },
      routes: { backed: ['nowhere/gpt-4o-mini', 'up/gpt-4o-mini'] },
      tracing: { otlp_url: receiver.url, headers: { authorization: `Bearer ${CREDENTIAL}` } },
      logging: { level: 'debug', sinks: [{ type: 'file', path: join(folder, 'log.jsonl') }] },
    },
  });
  const ask = (model: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}`, ...headers },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: PROMPT }], max_tokens: 20 }),
    });
  answer = await ask('backed', { traceparent: CALLER });
  text = await answer.text();
  refused = await ask('no-such-route');
  await refused.text();
  metrics = await (await fetch(`${server.url}/metrics`)).text();
  // What waits for its batch is sent at the end.
  await server.stop();
  logged = readFileSync(join(folder, 'log.jsonl'), 'utf8');
  spans = receiver.spans.filter(({ traceId }) => traceId === CALLER.slice(3, 35));
});
afterAll(async () => {
  await Promise.all([upstream.stop(), receiver.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

describe('a call through the server', () => {
  test('is traced step by step under the trace of its caller', () => {
    expect(answer.status).toBe(200);
    const root = spans.find(({ kind }) => kind === 2);
    expect(root).toMatchObject({ name: 'chat backed', parentSpanId: 'b7ad6b7169203331' });
    for (const step of ['route', 'admit']) expect(spans.map(({ name }) => name)).toContain(step);
    for (const span of spans) if (span !== root) expect(span.parentSpanId).toBe(root?.spanId ?? '');
    expect(answer.headers.get('x-sekisho-trace-id')).toBe(CALLER.slice(3, 35));
  });

  test('has a span for each attempt, failed ones among them, and hands the last to the upstream', () => {
    const attempts = spans.filter(({ kind }) => kind === 3);
    expect(attempts.map(({ status, attributes }) => [status, attributes['sekisho.target']])).toEqual([
      [2, 'nowhere/gpt-4o-mini'],
      [0, 'up/gpt-4o-mini'],
    ]);
    const header = upstream.requests.at(-1)?.headers['traceparent'];
    expect(header).toBe(`00-${CALLER.slice(3, 35)}-${attempts[1]?.spanId}-01`);
  });

  test('names its trace in its log line', () => {
    const line = logged.split('\n').find((each) => each.includes('"msg":"model_call"'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ route: 'backed', trace_id: CALLER.slice(3, 35), outcome: 'ok' });
  });

  test('X1: no credential, no prompt and no answer in log, traces, metrics and headers', () => {
    expect(refused.status).toBe(404);
    const content = (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]?.message.content;
    const shown = [logged, metrics, receiver.bodies.join(''), JSON.stringify([...answer.headers])];
    for (const place of shown) {
      for (const secret of [CREDENTIAL, server.adminKey, PROMPT, content ?? PROMPT]) {
        expect(place).not.toContain(secret);
      }
    }
    expect(receiver.bodies.length).toBeGreaterThan(0);
  });
});
