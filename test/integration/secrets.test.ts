import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behaviour } from '../support/fake-provider/behaviour.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts';
import { readStream } from '../support/read-stream.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

/** Marked, so that each is found wherever it turns up. */
const MARKED = {
  openai: 'sk-MARKED-openai-4711',
  anthropic: 'sk-MARKED-anthropic-4711',
  gemini: 'AIzaMARKEDgemini4711MARKEDgemini4711abc',
  cohere: 'co-MARKED-cohere-4711',
  aws: 'aws-MARKED-secret-access-key-4711',
  session: 'aws-MARKED-session-token-4711',
  header: 'MARKED-provider-header-4711',
  otlp: 'MARKED-otlp-header-4711',
  managed: 'sk-MARKED-managed-4711',
};
const PROMPT = 'MARKED-prompt-of-a-patient';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-secrets-'));
let upstream: FakeProvider;
let receiver: OtlpReceiver;
let server: TestServer;
/** Everything that the process has given to anybody, by where. */
const emitted: Record<string, string> = { headers: '', errors: '', admin: '', metrics: '' };
let callerKey: string;

const MODELS = {
  openai: 'gpt-4o-mini',
  anthropic: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  cohere: 'command-a',
  bedrock: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
};
const WIRES = ['openai', 'anthropic', 'gemini', 'cohere', 'bedrock'] as const;
const PATHS = ['/v1/chat/completions', '/v1/messages', '/v1/responses'];

/** What an upstream says that repeats whatever it was sent. */
function echo(wire: (typeof WIRES)[number] | 'managed'): string {
  const sent = [wire === 'bedrock' ? MARKED.session : MARKED[wire], MARKED.header].join(' ');
  return JSON.stringify({ error: { message: `bad key ${sent}`, type: 'x', code: sent }, message: `bad key ${sent}` });
}
/** The same in an answer with status 200. */
function told(wire: (typeof WIRES)[number]): string {
  const secret = wire === 'bedrock' ? MARKED.session : MARKED[wire];
  const error = { type: 'authentication_error', status: 'INVALID_ARGUMENT', message: `bad key ${secret}` };
  return JSON.stringify({ type: 'error', error, message: `bad key ${secret}` });
}
const failures = (wire: (typeof WIRES)[number]): [Behaviour, boolean][] => [
  ...[400, 401, 403, 404, 422, 429, 500, 503].map((status): [Behaviour, boolean] => [
    { fail: { status, body: echo(wire) } },
    false,
  ]),
  [{ body: told(wire) }, false],
  [{ break: { at: 'before-headers', how: 'reset' } }, false],
  [{ break: { at: { events: 3 }, how: 'cut' } }, true],
  [{ events: (events) => [...events.slice(0, 3), `event: error\ndata: ${told(wire)}\n\n`] }, true],
];

beforeAll(async () => {
  upstream = await startFakeProvider();
  receiver = startOtlpReceiver();
  const base = { openai: '/v1', anthropic: '', gemini: '/v1beta', cohere: '', bedrock: '' };
  const provider = <W extends (typeof WIRES)[number]>(wire: W) => ({
    wire,
    base_url: `${upstream.origin}${base[wire]}`,
    models: [MODELS[wire]],
    headers: { 'x-gateway-secret': MARKED.header },
  });
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      providers: {
        openai: { ...provider('openai'), api_key: MARKED.openai },
        anthropic: { ...provider('anthropic'), api_key: MARKED.anthropic },
        gemini: { ...provider('gemini'), api_key: MARKED.gemini },
        cohere: { ...provider('cohere'), api_key: MARKED.cohere },
        bedrock: {
          ...provider('bedrock'),
          aws: {
            region: 'us-east-1',
            access_key_id: 'AKIAIOSFODNN7EXAMPLE',
            secret_access_key: MARKED.aws,
            session_token: MARKED.session,
          },
        },
        nowhere: { wire: 'openai', base_url: 'http://127.0.0.1:1/v1', api_key: MARKED.openai, models: ['m'] },
      },
      server: { upstream_hosts: ['127.0.0.1'] },
      tracing: { otlp_url: receiver.url, headers: { authorization: `Bearer ${MARKED.otlp}` } },
      logging: { level: 'debug', sinks: [{ type: 'file', path: join(folder, 'log.jsonl') }] },
    },
  });
  callerKey = await server.createKey({ name: 'caller' });
  await failInEveryWay();
  await administer();
  emitted['metrics'] = await (await fetch(`${server.url}/metrics`)).text();
  emitted['urls'] = upstream.requests.map(({ path }) => path).join('\n');
  emitted['data folder'] = readAll(server.dataFolder, (name) => !name.includes('key'));
  // What waits for its batch is sent at the end.
  await server.stop();
  emitted['log'] = readFileSync(join(folder, 'log.jsonl'), 'utf8');
  emitted['traces'] = receiver.bodies.join('\n');
});
afterAll(async () => {
  await Promise.all([upstream.stop(), receiver.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function note(where: string, response: Response): Promise<void> {
  const { text } = await readStream(response);
  emitted['headers'] += JSON.stringify([...response.headers]);
  emitted[where] += `${response.status} ${text}\n`;
}

async function failInEveryWay(): Promise<void> {
  const send = (path: string, body: object, key = callerKey): Promise<Response> =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });
  const asked = (path: string, model: string, stream: boolean) => ({
    model,
    stream,
    ...(path.endsWith('responses')
      ? { input: PROMPT }
      : { max_tokens: 9, messages: [{ role: 'user', content: PROMPT }] }),
  });
  for (const wire of WIRES) {
    for (const path of PATHS) {
      for (const [behaviour, stream] of failures(wire)) {
        upstream.script(behaviour);
        await note('errors', await send(path, asked(path, `${wire}/${MODELS[wire]}`, stream)));
      }
    }
  }
  for (const path of PATHS) {
    await note('errors', await send(path, asked(path, 'nowhere/m', false)));
    await note('errors', await send(path, asked(path, 'no-such-model', false)));
    await note('errors', await send(path, asked(path, 'nowhere/m', false), `${callerKey}-wrong`));
    await note('errors', await send(`${path}?api_key=${callerKey}-in-a-url`, asked(path, 'nowhere/m', false)));
    await note('errors', await send(path, { model: 'nowhere/m' }));
  }
}

/** Reads of everything that administrators see. */
async function administer(): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` };
  const made = { wire: 'openai', base_url: upstream.baseUrl, api_key: MARKED.managed, models: ['m'] };
  const put = await fetch(`${server.url}/v1/providers/managed`, {
    method: 'PUT',
    headers,
    body: JSON.stringify(made),
  });
  expect(put.status).toBe(200);
  await note('admin', put);
  upstream.script({ fail: { status: 401, body: echo('managed') } });
  await note('admin', await fetch(`${server.url}/v1/providers/managed/test`, { method: 'POST', headers }));
  const pages = ['providers', 'routes', 'targets', 'targets/health', 'limits', 'prices', 'keys', 'cache', 'usage'];
  for (const page of [...pages, 'usage/export', 'models']) {
    await note('admin', await fetch(`${server.url}/v1/${page}`, { headers }));
  }
}

/** Every file below a folder, byte for byte; those of keys are for the user alone and are named so. */
function readAll(path: string, isOpen: (name: string) => boolean): string {
  return readdirSync(path)
    .filter(isOpen)
    .map((name) => join(path, name))
    .map((each) => (statSync(each).isDirectory() ? readAll(each, isOpen) : readFileSync(each, 'latin1')))
    .join('\n');
}

test('X1: what is grepped is there: failing calls were made, logged, traced, counted', () => {
  const calls = WIRES.length * PATHS.length * failures('openai').length;
  expect(emitted['errors']?.match(/^(4|5)\d\d /gm)?.length).toBeGreaterThan(calls / 2);
  expect(emitted['log']?.match(/"msg":"model_call"/g)?.length).toBeGreaterThanOrEqual(calls);
  expect(emitted['traces']?.length).toBeGreaterThan(10_000);
  expect(emitted['metrics']).toContain('llm_failed_attempts_total{');
  expect(emitted['urls']).toContain('/v1beta/models/');
  // The secrets have gone where they belong.
  const sent = JSON.stringify(upstream.requests.map(({ headers }) => headers));
  for (const name of ['openai', 'anthropic', 'gemini', 'cohere', 'header', 'session', 'managed'] as const) {
    expect([name, sent.includes(MARKED[name])]).toEqual([name, true]);
  }
});

test.each(['headers', 'errors', 'admin', 'metrics', 'urls', 'data folder', 'log', 'traces'])(
  'X1: no secret in %s',
  (where) => {
    const text = emitted[where] ?? '';
    expect(text).not.toBe('');
    for (const [name, secret] of Object.entries({ ...MARKED, callerKey, adminKey: server.adminKey })) {
      const at = text.indexOf(secret);
      expect([name, at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 80)]).toEqual([name, '']);
    }
    // What callers ask is nobody else's business.
    expect(text).not.toContain(PROMPT);
  },
);
