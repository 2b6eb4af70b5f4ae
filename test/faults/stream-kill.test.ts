import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileConfig } from '../../src/config/schema.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger } from '../support/read-ledger.ts';
import { readStream } from '../support/read-stream.ts';
import { startSekishoProcess } from '../support/start-server.ts';

let upstream: FakeProvider;
let folder: string;
beforeAll(async () => {
  upstream = await startFakeProvider();
  folder = mkdtempSync(join(tmpdir(), 'sekisho-kill-'));
});
afterAll(async () => {
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('C5: kill -9 under load loses no ledger row of a call that was answered in full, and doubles none', async () => {
  const config: FileConfig = {
    discover: false,
    providers: { up: { wire: 'openai', base_url: upstream.baseUrl, api_key: 'x', models: ['gpt-4o-mini'] } },
    routes: { fast: ['up/gpt-4o-mini'] },
    logging: { level: 'silent' },
  };
  const server = await startSekishoProcess({ config, dataFolder: folder });
  const answered: string[] = [];
  let killed: Promise<void> | undefined;
  const caller = async (stream: boolean): Promise<void> => {
    for (let calls = 0; killed === undefined && calls < 500; calls++) {
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
        body: JSON.stringify({ model: 'fast', stream, messages: [{ role: 'user', content: 'hi' }] }),
      });
      const id = response.headers.get('x-sekisho-request-id') ?? '';
      if (stream) {
        const seen = await readStream(response);
        if (!seen.data.includes('[DONE]')) return;
      } else await response.text();
      answered.push(id);
      if (answered.length >= 100) killed ??= server.kill();
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, at) => caller(at % 2 === 0).catch(() => undefined)));
  await killed;
  expect(answered.length).toBeGreaterThanOrEqual(100);

  const ledger = openLedger(folder);
  const ids = ledger.rows().map((row) => row.request_id);
  ledger.close();
  expect(answered.filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);

  const again = await startSekishoProcess({ config, dataFolder: folder });
  const headers = { authorization: `Bearer ${again.adminKey}` };
  const exported = await fetch(`${again.url}/v1/usage/export?format=jsonl`, { headers });
  expect(exported.status).toBe(200);
  // After the start every row is where usage and bills are read from, once.
  const text = await exported.text();
  expect(answered.filter((id) => text.split(`"${id}"`).length !== 2)).toEqual([]);
  await again.kill();
}, 60_000);
