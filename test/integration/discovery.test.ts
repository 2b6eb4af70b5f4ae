import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Resolver } from 'node:dns/promises';
import { Secret } from '../../src/lib/secret.ts';
import { addressAt, createEndpointSource } from '../../src/providers/discovery/endpoint-source.ts';
import { startDnsServer, type DnsServer } from '../support/dns-server.ts';

const never = new AbortController().signal;
const refreshMs = 1_000;

describe('over a real DNS server', () => {
  let server: DnsServer;
  let dns: Resolver;
  beforeAll(async () => {
    server = await startDnsServer();
    dns = new Resolver({ timeout: 500, tries: 1 });
    dns.setServers([server.address]);
  });
  afterAll(() => server.stop());

  const byName = (host: string, scheme: 'http' | 'https' = 'http') =>
    createEndpointSource({ kind: 'dns', host, port: 8_000, scheme, refreshMs }, { dns });
  const bySrv = (name: string) => createEndpointSource({ kind: 'srv', name, scheme: 'https', refreshMs }, { dns });

  test('A and AAAA records are endpoints', async () => {
    server.set('both.test', { a: ['10.0.0.5', '10.0.0.6'], aaaa: ['fd00:0:0:0:0:0:0:7'] });
    const found = await byName('both.test').find(never);
    expect(found.map(({ origin }) => origin).sort()).toEqual([
      'http://10.0.0.5:8000',
      'http://10.0.0.6:8000',
      'http://[fd00::7]:8000',
    ]);
    expect(server.questions).toContain('aaaa both.test');
  });

  test('one address family is enough, and what changes is seen at the next look', async () => {
    server.set('four.test', { a: ['10.0.0.5'] });
    const source = byName('four.test', 'https');
    expect(await source.find(never)).toEqual([{ origin: 'https://10.0.0.5:8000', weight: 1 }]);
    server.set('four.test', { a: ['10.0.0.9'] });
    expect(await source.find(never)).toEqual([{ origin: 'https://10.0.0.9:8000', weight: 1 }]);
  });

  test('SRV records of the lowest priority are endpoints by their weights', async () => {
    server.set('_llm._tcp.test', {
      srv: [
        { priority: 10, weight: 30, port: 8_001, name: 'a.test' },
        { priority: 10, weight: 0, port: 443, name: 'b.test' },
        { priority: 20, weight: 50, port: 8_003, name: 'spare.test' },
      ],
    });
    const found = await bySrv('_llm._tcp.test').find(never);
    expect(found.sort((left, right) => (left.origin < right.origin ? -1 : 1))).toEqual([
      { origin: 'https://a.test:8001', weight: 30 },
      { origin: 'https://b.test', weight: 1 },
    ]);
  });

  test('a name that does not exist is a failure, not an empty fleet', async () => {
    await expect(byName('gone.test').find(never)).rejects.toThrow();
    await expect(bySrv('_gone._tcp.test').find(never)).rejects.toThrow();
  });

  test('a server that does not answer is waited for no longer than the signal', async () => {
    const silent = new Resolver({ timeout: 60_000, tries: 1 });
    const deaf = await startDnsServer();
    silent.setServers([deaf.address]);
    await deaf.stop();
    const source = createEndpointSource(
      { kind: 'srv', name: '_x._tcp.test', scheme: 'http', refreshMs },
      { dns: silent },
    );
    const controller = new AbortController();
    const finding = source.find(controller.signal).catch((thrown: unknown) => thrown);
    controller.abort(new Error('enough'));
    expect(await finding).toBeInstanceOf(Error);
    silent.cancel();
  });
});

describe("over Consul's interface", () => {
  let answer: (path: string) => Response;
  let seen: { url: URL; token: string | null } | undefined;
  const consul = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request) => {
      seen = { url: new URL(request.url), token: request.headers.get('x-consul-token') };
      return answer(seen.url.pathname);
    },
  });
  afterAll(() => consul.stop(true));

  const source = (more: { tag?: string; token?: Secret } = {}) =>
    createEndpointSource(
      { kind: 'consul', url: `http://127.0.0.1:${consul.port}`, service: 'llm/eu', scheme: 'http', refreshMs, ...more },
      { dns: new Resolver() },
    );
  const instance = (service: object, node = '10.1.0.1') => ({ Node: { Address: node }, Service: service, Checks: [] });

  test('instances whose checks pass are endpoints; the service address comes before that of the node', async () => {
    answer = () =>
      Response.json([
        instance({ Address: '10.0.0.5', Port: 8_000, Weights: { Passing: 10, Warning: 1 } }),
        instance({ Address: '', Port: 8_001 }, '10.1.0.2'),
        instance({ Address: 'fd00::7', Port: 8_002 }),
        instance({ Address: '10.0.0.6' }),
        'nonsense',
      ]);
    expect(await source({ tag: 'gpu', token: new Secret('consul-token') }).find(never)).toEqual([
      { origin: 'http://10.0.0.5:8000', weight: 10 },
      { origin: 'http://10.1.0.2:8001', weight: 1 },
      { origin: 'http://[fd00::7]:8002', weight: 1 },
    ]);
    expect(seen?.url.pathname).toBe('/v1/health/service/llm%2Feu');
    expect(Object.fromEntries(seen?.url.searchParams ?? [])).toEqual({ passing: '1', tag: 'gpu' });
    expect(seen?.token).toBe('consul-token');
  });

  test.each([
    ['an error', () => new Response('No cluster leader', { status: 500 })],
    ['no list', () => Response.json({})],
    ['no JSON', () => new Response('<html>')],
    [
      'a redirect',
      (path: string) =>
        path === '/elsewhere'
          ? Response.json([])
          : new Response(null, { status: 302, headers: { location: '/elsewhere' } }),
    ],
  ])('%s is a failure', async (_, answered) => {
    answer = answered;
    await expect(source().find(never)).rejects.toThrow();
  });
});

test('a list is what it says, and the path of the provider stays', async () => {
  const list = createEndpointSource(
    { kind: 'list', origins: ['http://10.0.0.5:8000'], refreshMs },
    { dns: new Resolver() },
  );
  expect(await list.find(never)).toEqual([{ origin: 'http://10.0.0.5:8000', weight: 1 }]);
  expect(addressAt('https://models.internal/openai/v1/', 'http://10.0.0.5:8000')).toBe(
    'http://10.0.0.5:8000/openai/v1',
  );
  expect(addressAt('https://models.internal', 'http://10.0.0.5:8000')).toBe('http://10.0.0.5:8000');
});
