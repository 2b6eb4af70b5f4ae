import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { COMMENT_PING, withCrlf, withHugeDelta, withoutDone } from './behaviour.ts';
import { startFakeProvider, type FakeProvider } from './fake-provider.ts';

let provider: FakeProvider;
beforeAll(async () => {
  provider = await startFakeProvider();
});
afterAll(() => provider.stop());
beforeEach(() => provider.reset());

const ask = (body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${provider.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
    ...(signal ? { signal } : {}),
  });

test('answers plainly, in gzip, and byte by byte with the same body', async () => {
  provider.script({}, { encoding: 'gzip' }, { pieces: 'byte' });
  const bodies = [await (await ask({})).text(), await (await ask({})).text(), await (await ask({})).text()];
  expect(new Set(bodies).size).toBe(1);
  expect(JSON.parse(bodies[0] ?? '').choices[0].message.content).toContain('関所');
});

test('streams; the usage chunk comes only where it was asked for', async () => {
  const without = await (await ask({ stream: true })).text();
  const wanted = await (await ask({ stream: true, stream_options: { include_usage: true } })).text();
  expect(without).not.toContain('usage');
  expect(wanted).toContain('"usage":{"prompt_tokens":17');
  expect(without.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('slices at every byte, with CRLF and a huge line', async () => {
  provider.script({ pieces: 'byte', events: withCrlf }, { events: withHugeDelta(1_000_000) }, { events: withoutDone });
  expect(await (await ask({ stream: true })).text()).toContain('\r\n\r\n');
  expect((await (await ask({ stream: true })).text()).length).toBeGreaterThan(333_000);
  expect(await (await ask({ stream: true })).text()).not.toContain('[DONE]');
});

test('fails with a status and Retry-After', async () => {
  provider.script({ fail: { status: 429, retryAfter: '7' } });
  const answer = await ask({});
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7']);
});

test('stalls until released', async () => {
  provider.script({ stall: { at: 'before-headers' } });
  const answer = ask({});
  await provider.stalled();
  provider.release();
  expect((await answer).status).toBe(200);
});

test('stalls mid-stream with pings and sees the caller leave', async () => {
  provider.script({ stall: { at: { events: 2 }, ping: COMMENT_PING } });
  const leave = new AbortController();
  const answer = await ask({ stream: true }, leave.signal);
  const reader = answer.body?.getReader();
  let seen = '';
  while (!seen.includes(': keep-alive')) seen += new TextDecoder().decode((await reader?.read())?.value);
  leave.abort();
  const request = await provider.request(0);
  await request.aborted;
  expect(request.outcome).toBe('aborted');
  expect(provider.aborts).toBe(1);
});

test('resets after headers and after an event, and cuts at the end', async () => {
  provider.script(
    { break: { at: 'before-headers', how: 'reset' } },
    { break: { at: { events: 1 }, how: 'reset' } },
    { events: withoutDone, break: { at: 'end', how: 'cut' } },
  );
  expect(ask({ stream: true })).rejects.toThrow();
  const second = await ask({ stream: true });
  expect(second.text()).rejects.toThrow();
  const third = await ask({ stream: true });
  const text = await third.text().catch(() => 'broken');
  expect(text).not.toContain('[DONE]');
});

test('embeds as floats and as base64 of the same vector', async () => {
  const embed = async (encoding: string): Promise<unknown> => {
    const body = JSON.stringify({ model: 'e', input: ['橋', 'bridge'], encoding_format: encoding });
    const answer = await fetch(`${provider.baseUrl}/embeddings`, { method: 'POST', body });
    return JSON.parse(await answer.text()).data[1].embedding;
  };
  const base64 = Buffer.from(String(await embed('base64')), 'base64');
  const vector = Array.from(new Float32Array(base64.buffer, base64.byteOffset, base64.length / 4));
  expect(await embed('float')).toEqual(vector);
});
