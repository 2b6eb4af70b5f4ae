import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheCommand } from '../../src/cli/cache.ts';
import type { Command, CommandOptions } from '../../src/cli/command.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { settingsCommand } from '../../src/cli/settings-command.ts';
import { usageCommand } from '../../src/cli/usage.ts';
import { readEnvironment } from '../../src/config/env.ts';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const SECRET = 'sk-from-the-command-line';
const folder = mkdtempSync(join(tmpdir(), 'sekisho-admin-cli-'));
let upstream: FakeProvider;
let server: ServerProcess;

beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekishoProcess({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1 },
      breaker: { minimum_calls: 2, open_ms: 60_000 },
      server: { upstream_hosts: ['127.0.0.1'] },
      providers: { up: { wire: 'openai', base_url: upstream.baseUrl, models: ['m'] } },
      routes: { fast: { targets: ['up/m'], cache: { ttl_s: 600 } } },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs one command against the server that owns the data folder. */
async function run(command: Command, words: string[], options: CommandOptions = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await command({
    words,
    options,
    environment: readEnvironment({ SEKISHO_DATA: server.dataFolder, SEKISHO_CONFIG: config }),
    terminal: { print: (line) => void out.push(line), warn: (line) => void err.push(line), progress: () => undefined },
  }).catch((error: unknown) => {
    err.push(String(error));
    return 1;
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
const config = join(folder, 'sekisho.yaml');
writeFileSync(config, 'discover: false\n');

async function chat(model: string, key = server.adminKey): Promise<{ status: number; headers: Headers }> {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
  });
  await response.text();
  return response;
}

test('providers: set from a file, listed without the secret, tested, used, removed', async () => {
  const file = join(folder, 'mine.yaml');
  writeFileSync(file, `wire: openai\nbase_url: ${upstream.baseUrl}\napi_key: ${SECRET}\nmodels: [m1]\n`);
  const providers = settingsCommand('providers');
  expect(await run(providers, ['set', 'mine'], { file })).toMatchObject({ code: 0, out: 'mine is set.' });
  const listed = await run(providers, ['list']);
  expect(listed.out).toContain('mine  api');
  expect(listed.out).toContain('up  file');
  expect(listed.out).not.toContain(SECRET);
  expect(await run(providers, ['test', 'mine'])).toMatchObject({ code: 0, out: expect.stringContaining('"ok":true') });
  expect((await chat('mine/m1')).status).toBe(200);
  expect((await run(providers, ['remove', 'mine'])).code).toBe(0);
  expect((await chat('mine/m1')).status).toBe(404);
  expect(await run(providers, ['remove', 'mine'])).toMatchObject({ code: 1 });
  const gone = { wire: 'openai', base_url: 'http://127.0.0.1:1/v1' };
  await run(providers, ['set', 'gone', JSON.stringify(gone)]);
  expect((await run(providers, ['test', 'gone'])).code).toBe(1);
  await run(providers, ['remove', 'gone']);
});

test('routes, targets, limits and prices: set as a word, in force at once, listed, removed', async () => {
  const routes = settingsCommand('routes');
  expect((await run(routes, ['set', 'swift', '{targets: [up/m]}'])).code).toBe(0);
  expect((await chat('swift')).status).toBe(200);
  expect((await run(routes, ['list'])).out).toMatch(/^swift {2}api {2}\{"targets"/m);

  const targets = settingsCommand('targets');
  await run(targets, ['set', 'up/*', '{enabled: false}']);
  expect((await chat('swift')).status).toBe(503);
  await run(targets, ['remove', 'up/*']);
  expect((await chat('swift')).status).toBe(200);

  const limits = settingsCommand('limits');
  await run(limits, ['set', 'route/swift', '{requests_per_day: 1}']);
  await chat('swift');
  expect((await chat('swift')).status).toBe(429);
  expect((await run(limits, ['list'])).out).toContain('route/swift  api  {"requests_per_day":1}');
  await run(limits, ['remove', 'route/swift']);
  expect((await chat('swift')).status).toBe(200);

  const prices = settingsCommand('prices');
  expect((await chat('swift')).headers.get('x-sekisho-cost-usd')).toBeNull();
  await run(prices, ['set', 'up/m', '{input_per_million: 1, output_per_million: 2}']);
  expect(Number((await chat('swift')).headers.get('x-sekisho-cost-usd'))).toBeGreaterThan(0);
  await run(prices, ['remove', 'up/m']);
  await run(routes, ['remove', 'swift']);
  expect((await chat('swift')).status).toBe(404);
});

test('targets: health is shown and an open breaker is closed again', async () => {
  const targets = settingsCommand('targets');
  upstream.onModel('brittle', { fail: { status: 500 } });
  await chat('up/brittle');
  await chat('up/brittle');
  expect((await run(targets, ['health'])).out).toMatch(/^up\/brittle {2}\{.*"state":"open".*"upstream_failed"/m);
  upstream.reset();
  expect((await chat('up/brittle')).status).toBe(503);
  expect(await run(targets, ['reset', 'up/brittle'])).toMatchObject({ code: 0 });
  expect((await chat('up/brittle')).status).toBe(200);
});

test('the cache: statistics, and forgetting by route and all', async () => {
  await chat('fast');
  expect((await chat('fast')).headers.get('x-sekisho-cache')).toBe('hit');
  expect(parseJson((await run(cacheCommand, ['stats'])).out)).toMatchObject({ answers: { hits: 1 } });
  expect(await run(cacheCommand, ['clear'], { route: ['fast'] })).toMatchObject({ out: '1 answers are forgotten.' });
  expect((await chat('fast')).headers.get('x-sekisho-cache')).toBe('miss');
  expect(await run(cacheCommand, ['clear'])).toMatchObject({ code: 0, out: '1 answers are forgotten.' });
});

test('keys: made with their limits, changed, rotated, revoked', async () => {
  const made = await run(keysCommand, ['create'], {
    name: 'cli',
    route: ['fast', 'up/*'],
    team: 'search',
    budget: '5',
  });
  const key = made.out.trim();
  const id = /key_\w+/.exec(made.err)?.[0] ?? '';
  expect((await chat('fast', key)).status).toBe(402);
  const changed = await run(keysCommand, ['change', id], { name: 'renamed', route: ['fast'], limits: '{}' });
  expect(changed).toMatchObject({ code: 0, out: expect.stringContaining('"name":"renamed"') });
  expect((await chat('fast', key)).status).toBe(200);
  expect((await chat('up/m', key)).status).toBe(403);
  const rotated = (await run(keysCommand, ['rotate', id])).out.trim();
  expect((await chat('fast', key)).status).toBe(401);
  expect((await chat('fast', rotated)).status).toBe(200);
  expect((await run(keysCommand, ['list'])).out).toContain('renamed');
  expect((await run(keysCommand, ['revoke', id])).code).toBe(0);
  expect((await chat('fast', rotated)).status).toBe(401);
});

test('usage by what is asked for', async () => {
  const told = parseJson((await run(usageCommand, [], { by: 'route' })).out);
  expect(isJsonObject(told) && JSON.stringify(told['groups'])).toContain('"fast"');
});

test('what is misused says how it is used, and what the server refuses says why', async () => {
  for (const [command, words] of [
    [settingsCommand('routes'), ['set', 'x']],
    [settingsCommand('routes'), ['remove']],
    [settingsCommand('routes'), ['test', 'x']],
    [settingsCommand('limits'), ['dance']],
    [cacheCommand, []],
    [keysCommand, ['rotate']],
    [keysCommand, ['change']],
    [keysCommand, ['create']],
  ] as const) {
    const told = await run(command, [...words]);
    expect([words, told.code]).toEqual([words, 2]);
    expect(told.err.length).toBeGreaterThan(5);
  }
  const refused = await run(settingsCommand('routes'), ['set', 'x', '{targets: []}']);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('targets') });
  expect(await run(settingsCommand('routes'), ['set', 'x', '{unclosed: ['])).toMatchObject({ code: 1 });
  expect((await run(keysCommand, ['create'], { name: 'x', expires: 'tomorrow' })).code).toBe(2);
  expect((await run(keysCommand, ['create'], { name: 'x', budget: 'much' })).code).toBe(2);
});
