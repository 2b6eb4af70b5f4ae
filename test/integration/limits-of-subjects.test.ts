import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const MODEL = 'gpt-4o-mini';
const PRICES = { [MODEL]: { input_per_million: 1, output_per_million: 1 } };

let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      providers: {
        up: { wire: 'openai', api_key: 'x', base_url: upstream.baseUrl, models: [MODEL], prices: PRICES },
      },
      routes: { fast: [`up/${MODEL}`], watched: [`up/${MODEL}`], shown: [`up/${MODEL}`] },
      limits: {
        keys: { observed: { budget_usd_per_day: 0, requests_per_day: 1, shadow: true } },
        routes: {
          watched: { requests_per_hour: 1, shadow: true },
          shown: { requests_per_hour: 9, tokens_per_hour: 5_000 },
        },
      },
      logging: { level: 'silent' },
    },
  });
  ledger = openLedger(server.dataFolder);
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const PATHS = ['/v1/chat/completions', '/v1/messages', '/v1/responses'];
const ask = (key: string, model = 'fast', path = '/v1/chat/completions', stream = false): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model,
      stream,
      ...(path.endsWith('responses')
        ? { input: 'Open?', max_output_tokens: 1_000 }
        : { max_tokens: 1_000, messages: [{ role: 'user', content: 'Open?' }] }),
    }),
  });

async function metric(line: RegExp): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return text.split('\n').reduce((sum, each) => sum + (line.test(each) ? Number(each.split(' ').at(-1)) : 0), 0);
}

describe.each(PATHS)('%s', (path) => {
  test.each([false, true])(
    'C1: of many at once on a budget for one, exactly one passes (stream: %p)',
    async (stream) => {
      // A reservation is the prompt and 1,000 tokens of answer; two of them do not fit.
      const key = await server.createKey({ name: 'poor', limits: { budgetMicros: 1_500 } });
      upstream.onModel(MODEL, { stall: { at: 'before-headers' } });
      let refused = 0;
      const calls = Array.from({ length: 12 }, () =>
        ask(key, 'fast', path, stream).then((response) => {
          if (response.status === 402 && ++refused === 11) void upstream.stalled().then(upstream.release);
          return response;
        }),
      );
      const statuses = (await Promise.all(calls)).map(({ status }) => status).sort((a, b) => a - b);
      expect(statuses).toEqual([200, ...Array.from({ length: 11 }, () => 402)]);
      expect(upstream.requests).toHaveLength(1);
    },
  );

  test('C7: in shadow mode a limit and a budget are told and counted, and refuse nobody', async () => {
    const key = await server.createKey({ name: 'observed' });
    const shadows = await metric(/^sekisho_limit_shadow_refusals_total\{/);
    const refusals = await metric(/^sekisho_limit_refusals_total\{/);
    for (let each = 0; each < 3; each++) {
      const response = await ask(key, 'watched', path);
      expect(response.status).toBe(200);
      await response.text();
      expect((await ledger.settled(response.headers.get('x-sekisho-request-id'))).outcome).toBe('ok');
    }
    expect(await metric(/^sekisho_limit_shadow_refusals_total\{/)).toBeGreaterThanOrEqual(shadows + 3);
    expect(await metric(/^sekisho_limit_refusals_total\{/)).toBe(refusals);
  });

  test('what is left of a limit stands in the standard headers', async () => {
    const key = await server.createKey({ name: 'reader' });
    const response = await ask(key, 'shown', path);
    const { headers } = response;
    expect([headers.get('x-ratelimit-limit-requests'), headers.get('x-ratelimit-limit-tokens')]).toEqual(['9', '5000']);
    expect(Number(headers.get('x-ratelimit-remaining-requests'))).toBeLessThan(9);
    expect(Number(headers.get('x-ratelimit-remaining-tokens'))).toBeLessThan(5_000);
  });
});

test('C7: the same limit in force refuses', async () => {
  const key = await server.createKey({ name: 'strict', limits: { requestsPerMinute: 1 } });
  expect((await ask(key)).status).toBe(200);
  const refused = await ask(key);
  expect(refused.status).toBe(429);
  const body = parseJson(await refused.text());
  expect(isJsonObject(body) && isJsonObject(body['error']) && body['error']['code']).toBe('rate_limited');
});

test('X4: names that callers make up do not make metrics grow', async () => {
  const lines = async () => (await (await fetch(`${server.url}/metrics`)).text()).split('\n').length;
  const make = async (from: number): Promise<void> => {
    for (let at = from; at < from + 400; at += 20) {
      const names = Array.from({ length: 20 }, (_, index) => `made-up-${at + index}`);
      const answers = await Promise.all(
        names.flatMap((name) => [ask(server.adminKey, `up/${name}`), ask(server.adminKey, name)]),
      );
      await Promise.all(answers.map((answer) => answer.text()));
    }
  };
  await make(0);
  const before = await lines();
  await make(400);
  expect(await lines()).toBe(before);
  expect(upstream.requests.length).toBe(800);
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text).toContain('target="other"');
  const labels = new Map<string, Set<string>>();
  for (const [, label = '', value = ''] of text.matchAll(/(\w+)="([^"]*)"/g)) {
    if (label !== 'le') labels.set(label, (labels.get(label) ?? new Set()).add(value));
  }
  for (const [label, values] of labels) expect([label, values.size <= 201]).toEqual([label, true]);
});
