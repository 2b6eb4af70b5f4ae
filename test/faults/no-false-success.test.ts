import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import type { Behaviour } from '../support/fake-provider/behaviour.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { readStream } from '../support/read-stream.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-log-'));
const logFile = join(folder, 'log.jsonl');
let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
beforeAll(async () => {
  upstream = await startFakeProvider();
  const timeouts = { first_byte_ms: 120, between_data_ms: 120 };
  const provider = { api_key: 'sk-upstream', timeouts };
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 10_000 },
      providers: {
        up: { ...provider, wire: 'openai', base_url: upstream.baseUrl, models: ['gpt-4o-mini'] },
        claude: { ...provider, wire: 'anthropic', base_url: upstream.baseUrl, models: ['claude-sonnet-4-5'] },
        google: {
          ...provider,
          wire: 'gemini',
          base_url: `${upstream.origin}/v1beta`,
          models: ['gemini-2.5-flash'],
        },
      },
      routes: {
        fast: { targets: ['up/gpt-4o-mini'], cache: { ttl_s: 600 } },
        sonnet: { targets: ['claude/claude-sonnet-4-5'], cache: { ttl_s: 600 } },
        gemini: { targets: ['google/gemini-2.5-flash'], cache: { ttl_s: 600 } },
      },
      logging: { level: 'info', sinks: [{ type: 'file', path: logFile }] },
    },
  });
  ledger = openLedger(server.dataFolder);
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => upstream.reset());

const PATHS = { openai: '/v1/chat/completions', anthropic: '/v1/messages', responses: '/v1/responses' } as const;
const headers = () => ({ 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` });
let questions = 0;

/** One question, which nobody has asked before, as often as it is sent. */
function question(dialect: keyof typeof PATHS, route: string, stream: boolean): () => Promise<Response> {
  const content = `Question ${++questions}?`;
  const asked =
    dialect === 'responses' ? { input: content } : { max_tokens: 50, messages: [{ role: 'user', content }] };
  const body = JSON.stringify({ model: route, stream, ...asked });
  return () => fetch(`${server.url}${PATHS[dialect]}`, { method: 'POST', headers: headers(), body });
}

/** How often /metrics has counted a success: a call that went well, and an answer that was kept. */
async function successes(): Promise<{ calls: number; kept: number }> {
  const text = await (await fetch(`${server.url}/metrics`, { headers: headers() })).text();
  const sum = (pattern: RegExp) =>
    text.split('\n').reduce((total, line) => total + (pattern.test(line) ? Number(line.split(' ').at(-1)) : 0), 0);
  return {
    calls: sum(/^llm_requests_total\{.*outcome="ok"/),
    kept: sum(/^sekisho_cache_events_total\{.*kind="exact".*outcome="stored"/),
  };
}

/** The line of the log about the settled call. */
function lineOf(requestId: string | null): Promise<JsonObject> {
  return eventually('the call is in the log', () => {
    const lines = readFileSync(logFile, 'utf8').split('\n').map(parseJson).filter(isJsonObject);
    return lines.find((line) => line['msg'] === 'model_call' && line['request_id'] === requestId);
  });
}

const STREAMS: [string, Behaviour][] = [
  ['is reset midway', { break: { at: { events: 4 }, how: 'reset' } }],
  ['is cut midway', { break: { at: { events: 4 }, how: 'cut' } }],
  ['ends midway', { events: (events) => events.slice(0, 4) }],
  ['stands still midway', { stall: { at: { events: 4 } } }],
];
const PLAIN: [string, Behaviour][] = [
  ['is refused', { fail: { status: 500 } }],
  ['is half of itself', { body: '{"id":"x","choices":[{"ind' }],
  ['is HTML', { contentType: 'text/html', body: '<html>Bad day</html>' }],
  ['is cut', { break: { at: 'after-headers', how: 'cut' } }],
  ['never comes', { stall: { at: 'after-headers' } }],
];

const roads = (['openai', 'anthropic', 'responses'] as const).flatMap((dialect) =>
  ['fast', 'sonnet', 'gemini'].map((route) => ({ dialect, route })),
);

describe.each(roads)('$dialect dialect, route $route', ({ dialect, route }) => {
  test.each([
    ...STREAMS.map(([what, behaviour]) => ({ what, behaviour, stream: true })),
    ...PLAIN.map(([what, behaviour]) => ({ what, behaviour, stream: false })),
  ])(
    'S10: an answer that $what (stream: $stream) is a success nowhere: status, ledger, log, metrics, cache',
    async ({ behaviour, stream }) => {
      const ask = question(dialect, route, stream);
      const before = await successes();
      upstream.script(behaviour);
      const response = await ask();
      const seen = await readStream(response);
      expect(stream ? [200] : [502, 504]).toContain(response.status);
      expect(seen.text).toContain('error');
      expect(seen.text).not.toMatch(/\[DONE\]|message_stop|response\.completed/);
      const requestId = response.headers.get('x-sekisho-request-id');
      expect((await ledger.settled(requestId)).outcome).toBe('error');
      expect(await lineOf(requestId)).toMatchObject({ outcome: 'error', level: expect.stringMatching(/warn|error/) });
      expect(await successes()).toEqual(before);

      // The same question again is asked again, and only what came whole is kept.
      const again = await ask();
      expect([again.status, again.headers.get('x-sekisho-cache')]).toEqual([200, 'miss']);
      await again.text();
      const third = await ask();
      expect(third.headers.get('x-sekisho-cache')).toBe('hit');
      await third.text();
      expect(await successes()).toEqual({ calls: before.calls + 2, kept: before.kept + 1 });
    },
  );
});
