import { afterAll, beforeAll, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { isPatient } from '../support/patience.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let upstream: FakeProvider;
let server: TestServer;
beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      server: { idle_timeout_s: 1 },
      providers: { up: { wire: 'openai', api_key: 'sk-x', base_url: upstream.baseUrl, models: ['gpt-4o-mini'] } },
      routes: { fast: ['up/gpt-4o-mini'] },
      logging: { level: 'silent' },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await upstream.stop();
});

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test.skipIf(!isPatient)(
  'fault 8: who says nothing, or never ends its headers, is let go; a model with a key may think for longer',
  async () => {
    upstream.script({ stall: { at: 'after-headers' } });
    const thinking = fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
      body: JSON.stringify({ model: 'fast', messages: [{ role: 'user', content: 'Think.' }] }),
    });
    const quiet = await open();
    const endless = await open();
    endless.write('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    // The server's clock for this is a coarse one: some seconds more than it was told.
    await Promise.all([once(quiet, 'close'), once(endless, 'close')]);
    upstream.release();
    const answer = await thinking;
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('choices');
  },
);
