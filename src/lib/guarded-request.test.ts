import { afterAll, beforeEach, expect, test } from 'bun:test';
import { createGuardedRequest, GuardedFetchError, type GuardedRequestOptions } from './guarded-request.ts';

interface Seen {
  host: string;
  path: string;
  method: string;
  authorization: string | null;
  body: string;
}
let seen: Seen[] = [];
let answer: (request: Request) => Response = () => new Response('text');
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    seen.push({
      host: request.headers.get('host') ?? '',
      path: new URL(request.url).pathname,
      method: request.method,
      authorization: request.headers.get('authorization'),
      body: await request.text(),
    });
    return answer(request);
  },
});
const at = `127.0.0.1:${server.port}`;
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answer = () => new Response('text', { headers: { etag: '"1"' } });
});

const open = (more: Partial<GuardedRequestOptions> = {}) =>
  createGuardedRequest({
    maxBytes: 1_000,
    timeoutMs: 5_000,
    maxRedirects: 3,
    resolve: () => Promise.resolve(['127.0.0.1']),
    isListedHost: (hostname) => ['127.0.0.1', 'wiki.inner', 'files.inner'].includes(hostname),
    ...more,
  });
const { signal } = new AbortController();
const problem = async (request: Promise<unknown>): Promise<string> => {
  const thrown: unknown = await request.then(
    () => expect.unreachable(),
    (reason: unknown) => reason,
  );
  return thrown instanceof GuardedFetchError ? thrown.problem : String(thrown);
};
const redirect = (location: string): void => {
  answer = ({ url }) =>
    new URL(url).pathname === '/first' ? new Response('', { status: 302, headers: { location } }) : new Response('in');
};

test('a private address is reached where its host is listed, and nowhere else', async () => {
  expect((await open()(`http://${at}/a`, signal)).status).toBe(200);
  expect(await problem(open()(`http://other.inner:${server.port}/a`, signal))).toBe('address');
  expect(await problem(open({ isListedHost: () => false })(`http://${at}/a`, signal))).toBe('address');
  expect(seen).toHaveLength(1);
});

test('an answer comes with its status and headers; of one that is no success no byte is read', async () => {
  const first = await open()(`http://${at}/a`, signal);
  expect([first.headers.get('etag'), new TextDecoder().decode(first.bytes)]).toEqual(['"1"', 'text']);
  for (const status of [304, 404, 503]) {
    answer = () => new Response(status === 304 ? null : 'long words', { status });
    const told = await open()(`http://${at}/a`, signal);
    expect([told.status, told.bytes.length]).toEqual([status, 0]);
  }
});

test('credentials stay with the first origin, other headers go along', async () => {
  redirect(`http://files.inner:${server.port}/second`);
  const credentials = { authorization: 'Bearer inner' };
  const headers = { host: 'evil.example' };
  await open()(`http://wiki.inner:${server.port}/first`, signal, { credentials, headers });
  expect(seen.map(({ host, authorization }) => [host, authorization])).toEqual([
    [`wiki.inner:${server.port}`, 'Bearer inner'],
    [`files.inner:${server.port}`, null],
  ]);
});

test('a public host does not lead to a listed one of the inner network', async () => {
  // The public host answers here too, by its address.
  const sent: string[] = [];
  const request = open({
    resolve: (hostname) => Promise.resolve([hostname === 'public.example' ? '93.184.215.14' : '127.0.0.1']),
    fetch: (url, init) => {
      sent.push(url);
      return fetch(url.replace('93.184.215.14', '127.0.0.1'), init);
    },
  });
  redirect(`http://wiki.inner:${server.port}/secret`);
  expect(await problem(request(`http://public.example:${server.port}/first`, signal))).toBe('address');
  redirect(`http://public.example:${server.port}/second`);
  expect((await request(`http://wiki.inner:${server.port}/first`, signal)).status).toBe(200);
  expect(sent.map((url) => new URL(url).pathname)).toEqual(['/first', '/first', '/second']);
});

test('where a redirect leads is judged before it is followed', async () => {
  redirect('/second');
  const beforeRedirect = (url: URL): void => {
    throw new GuardedFetchError('redirects', `not to ${url.pathname}`);
  };
  expect(await problem(open()(`http://${at}/first`, signal, { beforeRedirect }))).toBe('redirects');
  expect(seen.map(({ path }) => path)).toEqual(['/first']);
});

test('POST carries its body and follows no redirect', async () => {
  const body = new TextEncoder().encode('want');
  await open()(`http://${at}/a`, signal, { method: 'POST', body });
  expect(seen[0]).toMatchObject({ method: 'POST', body: 'want' });
  redirect('/second');
  expect(await problem(open()(`http://${at}/first`, signal, { method: 'POST', body }))).toBe('status');
  expect(seen.map(({ path }) => path)).toEqual(['/a', '/first']);
});
