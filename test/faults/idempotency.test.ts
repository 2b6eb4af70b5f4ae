import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileConfig } from '../../src/config/schema.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger } from '../support/read-ledger.ts';
import { readStream } from '../support/read-stream.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

let upstream: FakeProvider;
let folder: string;
beforeAll(async () => {
  upstream = await startFakeProvider();
  folder = mkdtempSync(join(tmpdir(), 'sekisho-idempotency-'));
});
afterAll(async () => {
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});

const REPLAY = 'x-sekisho-idempotent-replay';
const start = (): Promise<ServerProcess> => {
  const config: FileConfig = {
    discover: false,
    handbook: false,
    providers: { up: { wire: 'openai', base_url: upstream.baseUrl, api_key: 'x', models: ['gpt-4o-mini'] } },
    routes: { fast: ['up/gpt-4o-mini'] },
    logging: { level: 'silent' },
  };
  return startSekishoProcess({ config, dataFolder: folder });
};
const send = (server: ServerProcess, key: string, stream = false): Promise<Response> =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${server.adminKey}`,
      'idempotency-key': key,
    },
    body: JSON.stringify({ model: 'fast', stream, messages: [{ role: 'user', content: 'hi' }] }),
  });

/** Moves the time of what is kept, as if it had passed while nothing ran. */
function age(column: 'lease_until_ms' | 'expires_ms', byMs: number): void {
  const name = readdirSync(folder).find((file) => /\.(db|sqlite)$/.test(file)) ?? '';
  const database = new Database(join(folder, name), { readwrite: true });
  database.run(`UPDATE http_idempotency SET ${column} = ${column} - ?`, [byMs]);
  database.close();
}

test('F14: kill -9 during the first call frees its key after the lease; what was answered survives, billed once', async () => {
  let server = await start();
  const whole = await (await send(server, 'whole')).text();
  const streamed = await readStream(await send(server, 'streamed', true));
  expect(streamed.data).toContain('[DONE]');
  upstream.onModel('gpt-4o-mini', { stall: { at: 'before-headers' } });
  const cut = send(server, 'cut').catch(() => 'gone');
  await upstream.stalled();
  await server.kill();
  expect(await cut).toBe('gone');
  upstream.reset();
  upstream.release();

  server = await start();
  const again = await send(server, 'whole');
  expect(again.headers.get(REPLAY)).toBe('true');
  expect(await again.text()).toBe(whole);
  const streamedAgain = await readStream(await send(server, 'streamed', true));
  expect(streamedAgain.text).toBe(streamed.text);
  expect(upstream.requests).toHaveLength(0);

  expect((await send(server, 'cut')).status).toBe(409);
  age('lease_until_ms', 60_000);
  const second = await send(server, 'cut');
  expect(second.status).toBe(200);
  expect(second.headers.get(REPLAY)).toBeNull();
  await second.text();
  expect(upstream.requests).toHaveLength(1);
  const ledger = openLedger(folder);
  expect(ledger.rows()).toHaveLength(3);
  ledger.close();

  // A day later the keys are free, and their answers are no longer in the database.
  age('expires_ms', 25 * 60 * 60 * 1_000);
  const dayLater = await send(server, 'whole');
  expect(dayLater.headers.get(REPLAY)).toBeNull();
  await dayLater.text();
  await server.kill();
}, 60_000);

test('F14: kill -9 right after a streamed answer was seen to its end: it is kept, and nothing is billed twice', async () => {
  for (let round = 0; round < 2; round++) {
    const server = await start();
    upstream.reset();
    const response = await send(server, `race-${round}`, true);
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (text.includes('[DONE]')) break;
    }
    await server.kill();
    const next = await start();
    const again = await send(next, `race-${round}`, true);
    expect(again.headers.get(REPLAY)).toBe('true');
    expect(await again.text()).toBe(text);
    expect(upstream.requests).toHaveLength(1);
    await next.kill();
  }
}, 60_000);
