import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

/** As quick as an upstream can be: what is measured is the server, in a process of its own. */
const upstream = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: async (request) => {
    await request.arrayBuffer();
    return new Response(ANSWER, { headers: { 'content-type': 'application/json' } });
  },
});
const ANSWER = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'The gate is open.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
});

let server: ServerProcess;
beforeAll(async () => {
  server = await startSekishoProcess({
    config: {
      discover: false,
      handbook: false,
      logging: { level: 'silent' },
      cache: { memory_mb: 2 },
      limits: { users: { '*': { requests_per_day: 1_000_000 } } },
      breaker: { minimum_calls: 10_000 },
      providers: { up: { wire: 'openai', base_url: `http://127.0.0.1:${upstream.port}/v1`, models: ['m'] } },
      routes: { cached: { targets: ['up/m'], cache: { ttl_s: 3_600 } } },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await upstream.stop(true);
});

const REQUESTS = 10_000;
const AT_ONCE = 16;
/** What is bounded by count fills up first. Seen to level off after 20,000; what 7,000 more add is a bound on a leak. */
const WARM_UP = 3_000;
const GROWTH_MB = 64;

/** Resident memory of the server in megabytes; undefined where the system does not tell. */
function residentMb(): number | undefined {
  try {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]) / 1_024;
  } catch {
    return undefined;
  }
}

/** One request of which no other is like: in its key, its model, its prompt, its user, its session. */
async function ask(at: number): Promise<void> {
  const kind = at % 10;
  const key = kind < 2 ? `sk-nobody-${at}` : server.adminKey;
  const model = kind < 2 ? 'cached' : kind < 4 ? `model-${at}` : kind < 6 ? `up/model-${at}` : 'cached';
  const expected = kind < 2 ? 401 : kind < 4 ? 404 : 200;
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'x-sekisho-session': `session-${at}`,
      'x-sekisho-tags': `tag-${at}`,
      ...(kind === 9 && { 'idempotency-key': `key-${at}` }),
    },
    body: JSON.stringify({
      model,
      user: `user-${at}`,
      messages: [{ role: 'user', content: `Traveller ${at} arrives at the gate. `.repeat(20) }],
    }),
  });
  await response.arrayBuffer();
  if (response.status !== expected) throw new Error(`Request ${at} was answered ${response.status}, not ${expected}.`);
}

async function askAll(from: number, to: number): Promise<void> {
  let next = from;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < to) await ask(next++);
    }),
  );
}

test('X5: memory stays flat over requests with keys, models, prompts and users of which no two are alike', async () => {
  await askAll(0, WARM_UP);
  const before = residentMb();
  await askAll(WARM_UP, REQUESTS);
  const after = residentMb();
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  // X4: made-up names do not grow the metrics either.
  expect(metrics.split('\n').length).toBeLessThan(30_000);
  if (before === undefined || after === undefined) return;
  expect(after - before).toBeLessThan(GROWTH_MB);
  expect(after).toBeLessThan(400);
}, 60_000);
