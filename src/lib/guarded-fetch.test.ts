import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGuardedFetch } from './guarded-fetch.ts';
import { GuardedFetchError, type GuardedRequestOptions } from './guarded-request.ts';

const PUBLIC = '93.184.215.14';
const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);
let answers: ((request: Request) => Response | Promise<Response>)[] = [];
let sent: { url: string; init: BunFetchRequestInit }[] = [];
let asked: string[] = [];
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request) =>
    (answers.shift() ?? (() => new Response(PNG, { headers: { 'content-type': 'Image/PNG; q=1' } })))(request),
});
afterAll(() => server.stop(true));
beforeEach(() => {
  answers = [];
  sent = [];
  asked = [];
});

/** Names resolve to public addresses, and those answer at a server of this test. */
const guarded = (more: Partial<GuardedRequestOptions> = {}) =>
  createGuardedFetch({
    maxBytes: 1_000,
    timeoutMs: 5_000,
    maxRedirects: 3,
    resolve: (hostname) => {
      asked.push(hostname);
      return Promise.resolve([PUBLIC]);
    },
    fetch: (url, init) => {
      sent.push({ url, init });
      const { pathname, search } = new URL(url);
      const { tls: _, ...rest } = init;
      return fetch(`http://127.0.0.1:${server.port}${pathname}${search}`, rest);
    },
    ...more,
  });
const signal = (): AbortSignal => new AbortController().signal;
const problem = async (get: Promise<unknown>): Promise<string> => {
  const thrown: unknown = await get.then(
    () => expect.unreachable(),
    (reason: unknown) => reason,
  );
  return thrown instanceof GuardedFetchError ? thrown.problem : String(thrown);
};
const to =
  (location: string, status = 302) =>
  () =>
    new Response('', { status, headers: { location } });

describe('what goes out', () => {
  test('the connection goes to the checked address, under the name of the host', async () => {
    let host: string | null = '';
    answers = [
      (request) => {
        host = request.headers.get('host');
        expect([...request.headers.keys()].sort()).not.toContain('cookie');
        expect(request.headers.get('authorization')).toBeNull();
        return new Response(PNG, { headers: { 'content-type': 'image/png' } });
      },
    ];
    await guarded()('https://media.example:8443/a.png?x=1#y', signal());
    expect(host).toBe('media.example:8443');
    expect(sent[0]?.url).toBe(`https://${PUBLIC}:8443/a.png?x=1#y`);
    expect(sent[0]?.init.tls).toEqual({ serverName: 'media.example' });
    expect(sent[0]?.init.redirect).toBe('manual');
    expect(asked).toEqual(['media.example']);
  });

  test('an address goes as it is, also of IPv6', async () => {
    await guarded()('http://8.8.8.8/', signal());
    await guarded()('http://[2606:4700:4700::1111]/a', signal());
    await guarded({ resolve: async () => ['2606:4700:4700::1111'] })('http://six.example/', signal());
    expect(sent.map(({ url }) => url)).toEqual([
      'http://8.8.8.8/',
      'http://[2606:4700:4700::1111]/a',
      'http://[2606:4700:4700::1111]/',
    ]);
    expect(asked).toEqual([]);
  });

  test('the next address is tried where one does not answer', async () => {
    let tries = 0;
    const media = await guarded({
      resolve: async () => ['2606:4700:4700::1111', PUBLIC],
      fetch: () => (++tries === 1 ? Promise.reject(new Error('no route')) : Promise.resolve(new Response(PNG))),
    })('http://two.example/', signal());
    expect([tries, media.mediaType]).toEqual([2, 'application/octet-stream']);
    const none = guarded({ fetch: () => Promise.reject(new Error('refused')) });
    expect(await problem(none('http://two.example/', signal()))).toBe('network');
  });
});

test.skipIf(Bun.which('openssl') === null)(
  'TLS proves the name, though the connection goes to an address',
  async () => {
    const { key, cert } = selfSigned('media.example');
    const secure = Bun.serve({ port: 0, hostname: '127.0.0.1', tls: { key, cert }, fetch: () => new Response(PNG) });
    const get = guarded({
      fetch: (url, init) => {
        const { pathname } = new URL(url);
        return fetch(`https://127.0.0.1:${secure.port}${pathname}`, { ...init, tls: { ...init.tls, ca: cert } });
      },
    });
    try {
      expect((await get('https://media.example/a.png', signal())).bytes).toHaveLength(PNG.length);
      expect(await problem(get('https://other.example/a.png', signal()))).toBe('network');
    } finally {
      await secure.stop(true);
    }
  },
);

/** A key and a certificate for one name, made for this run. */
function selfSigned(name: string): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'guarded-fetch-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  Bun.spawnSync([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ]);
  const made = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(folder, { recursive: true });
  return made;
}

test('what comes back', async () => {
  expect(await guarded()('http://media.example/a', signal())).toEqual({
    bytes: Buffer.from(PNG),
    mediaType: 'image/png',
  });
});

describe('never sent', () => {
  test.each([
    ['url', 'file:///etc/passwd'],
    ['url', 'gopher://example.org/'],
    ['url', 'unix:/var/run/docker.sock'],
    ['url', 'ftp://example.org/a'],
    ['url', 'data:image/png;base64,AA=='],
    ['url', 'javascript:alert(1)'],
    ['url', '//example.org/a'],
    ['url', ''],
    ['url', 'http://'],
    ['url', 'http://user@example.org/'],
    ['url', 'http://user:pass@example.org/'],
    ['url', 'http://example.org@127.0.0.1/'],
    ['url', 'http://1.1.1.256/'],
    ['url', `http://example.org/${'a'.repeat(9_000)}`],
    ['address', 'http://127.0.0.1/'],
    ['address', 'http://127.1/'],
    ['address', 'http://127.0.0.1./'],
    ['address', 'http://0x7f000001/'],
    ['address', 'http://0x7f.1/'],
    ['address', 'http://2130706433/'],
    ['address', 'http://017700000001/'],
    ['address', 'http://0177.0.0.1/'],
    ['address', 'http://①②⑦.0.0.1/'],
    ['address', 'http://127%2e0.0.1/'],
    ['address', 'http:\\\\127.0.0.1\\'],
    ['address', 'http://0/'],
    ['address', 'http://0.0.0.0:8080/'],
    ['address', 'http://[::]/'],
    ['address', 'http://[::1]/'],
    ['address', 'http://[::ffff:127.0.0.1]/'],
    ['address', 'http://[::ffff:a9fe:a9fe]/'],
    ['address', 'http://[64:ff9b::7f00:1]/'],
    ['address', 'http://[fd00:ec2::254]/'],
    ['address', 'http://[fe80::1]/'],
    ['address', 'http://169.254.169.254/latest/meta-data/'],
    ['address', 'http://2852039166/'],
    ['address', 'http://100.100.100.200/'],
    ['address', 'http://10.1.2.3/'],
    ['address', 'http://192.168.0.1/'],
    ['address', 'https://172.16.0.1/'],
    ['address', 'http://255.255.255.255/'],
  ])('%s: %s', async (expected, url) => {
    expect(await problem(guarded()(url, signal()))).toBe(expected);
    expect(sent).toEqual([]);
  });

  test.each([
    ['a private address', ['10.0.0.1']],
    ['a private address beside a public one', [PUBLIC, '127.0.0.1']],
    ['an address of the cloud', ['169.254.169.254']],
    ['a mapped address', ['::ffff:127.0.0.1']],
    ['a local address with a zone', ['fe80::1%eth0']],
    ['something that is no address', ['example.org']],
    ['nothing', []],
  ])('a name that resolves to %s', async (_, addresses) => {
    expect(await problem(guarded({ resolve: async () => addresses })('http://inner.example/', signal()))).toBe(
      'address',
    );
    expect(sent).toEqual([]);
  });

  test('a name that does not resolve is told in the same words as a private one', async () => {
    const unknown = guarded({ resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    const inner = guarded({ resolve: async () => ['10.0.0.1'] });
    const words = async (get: Promise<unknown>) => get.catch((error: Error) => error.message);
    expect(await words(unknown('http://a.example/', signal()))).toBe(await words(inner('http://a.example/', signal())));
  });

  test('the machine\u2019s own name', async () => {
    const { resolve: _, ...options } = { maxBytes: 1, timeoutMs: 5_000, maxRedirects: 0, resolve: undefined };
    expect(await problem(createGuardedFetch(options)(`http://localhost:${server.port}/`, signal()))).toBe('address');
  });
});

describe('redirects', () => {
  test('are followed, each under its own name and address', async () => {
    answers = [to('/b'), to('https://other.example/c', 307), to('//third.example/d', 308)];
    await guarded()('http://media.example/a', signal());
    expect(asked).toEqual(['media.example', 'media.example', 'other.example', 'third.example']);
    expect(sent.map(({ url }) => new URL(url).pathname)).toEqual(['/a', '/b', '/c', '/d']);
  });

  test.each([
    ['address', 'http://127.0.0.1:6379/'],
    ['address', 'http://[::ffff:169.254.169.254]/'],
    ['address', '//2130706433/'],
    ['url', 'file:///etc/passwd'],
    ['url', 'http://user@media.example/'],
    ['url', 'http://'],
  ])('%s: to %s', async (expected, location) => {
    answers = [to(location)];
    expect(await problem(guarded()('http://media.example/', signal()))).toBe(expected);
    expect(sent).toHaveLength(1);
  });

  test('a name that resolves otherwise the second time is checked the second time', async () => {
    answers = [to('/again')];
    let turn = 0;
    const rebound = guarded({ resolve: async () => (turn++ === 0 ? [PUBLIC] : ['127.0.0.1']) });
    expect(await problem(rebound('http://rebind.example/', signal()))).toBe('address');
    expect(sent).toHaveLength(1);
  });

  test('not too many, and never to nowhere', async () => {
    answers = Array.from({ length: 9 }, () => to('/loop'));
    expect(await problem(guarded()('http://media.example/', signal()))).toBe('redirects');
    expect(sent).toHaveLength(4);
    answers = [() => new Response('', { status: 302 })];
    expect(await problem(guarded()('http://media.example/', signal()))).toBe('status');
  });
});

describe('bounds', () => {
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(400)),
      }),
    );

  test.each([
    ['stated', () => new Response(new Uint8Array(1_001))],
    ['sent without end', endless],
    [
      'unpacked',
      () => new Response(Bun.gzipSync(new Uint8Array(100_000)), { headers: { 'content-encoding': 'gzip' } }),
    ],
  ])('size, as %s', async (_, answer) => {
    answers = [answer];
    expect(await problem(guarded()('http://media.example/', signal()))).toBe('size');
  });

  test('what is just small enough is taken', async () => {
    answers = [() => new Response(new Uint8Array(1_000))];
    expect((await guarded()('http://media.example/', signal())).bytes).toHaveLength(1_000);
  });

  test.each([
    ['the resolver', { resolve: () => new Promise<string[]>(() => undefined) }],
    ['the host', { fetch: () => new Promise<Response>(() => undefined) }],
    ['the body', { fetch: async () => new Response(new ReadableStream()) }],
  ])('time, while waiting for %s', async (_, more) => {
    expect(await problem(guarded({ ...more, timeoutMs: 20 })('http://media.example/', signal()))).toBe('time');
  });

  test.each([404, 500, 304])('an answer of %d is none', async (status) => {
    answers = [() => new Response(null, { status })];
    expect(await problem(guarded()('http://media.example/', signal()))).toBe('status');
  });

  test('a caller who leaves ends it with the caller\u2019s own reason', async () => {
    const controller = new AbortController();
    const reason = new Error('left');
    const waiting = guarded({ fetch: () => new Promise<Response>(() => undefined) })(
      'http://media.example/',
      controller.signal,
    ).catch((thrown: unknown) => thrown);
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await guarded()('http://media.example/', controller.signal).catch((thrown: unknown) => thrown)).toBe(reason);
  });
});
