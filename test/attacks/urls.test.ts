/**
 * Every address that somebody gives us: of providers and their fleets over the API, of pictures in prompts. And what
 * travels to an address that was approved once: a credential, which follows neither a change of it nor a redirect.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage({ server: { upstream_hosts: ['localhost', '*.models.internal'] } });
});
afterAll(() => stage.stop());
beforeEach(() => {
  stage.upstream.reset();
  stage.other.reset();
});

const SECRET = 'sk-stored-once-9876';
const provider = (more: object) => ({ wire: 'openai', api_key: SECRET, models: ['m'], ...more });
const put = (more: object) => stage.ask('PUT', '/v1/providers/p', provider(more));
const param = ({ json }: Told): unknown => isJsonObject(json['error']) && json['error']['param'];
const localhost = (url: string): string => url.replace('127.0.0.1', 'localhost');

/** Where nobody over the API may send a call, in as many notations as there are. */
const INNER = [
  'http://127.0.0.1/v1',
  'http://127.1/v1',
  'http://0x7f000001/v1',
  'http://0x7f.1/v1',
  'http://2130706433/v1',
  'http://017700000001/v1',
  'http://[::1]/v1',
  'http://[::ffff:127.0.0.1]/v1',
  'http://[::ffff:7f00:1]/v1',
  'http://0.0.0.0/v1',
  'http://169.254.169.254/latest/meta-data',
  'http://[fd00:ec2::254]/latest/meta-data',
  'http://metadata.google.internal/v1',
  'http://10.0.0.1/v1',
  'https://192.168.1.1/v1',
  'http://１２７.０.０.１/v1',
  'http://①②⑦.⓪.⓪.①/v1',
  'http://127.0.0.1.nip.io/v1',
  'https://api.openai.com@evil.example/v1',
  'https://evil.example#@api.openai.com/v1',
  'https://evil.example\\@api.openai.com/v1',
  'https://api.openai.com.evil.example/v1',
  'https://evil-api.openai.com/v1',
  'https://api.openai.com:8443/v1',
  'http://api.openai.com/v1',
  'https://user:pass@api.openai.com/v1',
  'http://user@localhost/v1',
  'http://models.internal/v1',
  'http://a.b.models.internal/v1',
  'http://localhost.evil.example/v1',
  'file:///etc/passwd',
  'gopher://localhost:6379/_FLUSHALL',
  'unix:/var/run/docker.sock',
  'data:text/plain,hi',
  'ftp://localhost/',
  'javascript:alert(1)',
  'localhost',
  '//localhost/v1',
  '',
];

describe('attack 2: addresses of providers', () => {
  test.each(INNER)('base_url %j is refused and nothing is stored', async (base_url) => {
    const told = await put({ base_url });
    expect([told.status, param(told)]).toEqual([400, 'base_url']);
    expect((await stage.ask('GET', '/v1/providers')).text).not.toContain('"name":"p"');
  });

  test.each([
    ['endpoints.list', { list: ['http://localhost:1', 'http://169.254.169.254'] }],
    ['endpoints.dns', { dns: 'metadata.google.internal', port: 80 }],
    ['endpoints.dns', { dns: '169.254.169.254', port: 80 }],
    // What is checked must be what is asked for: each of these is `localhost` to a parser of addresses.
    ['endpoints.dns', { dns: 'localhost/.evil.example', port: 80 }],
    ['endpoints.dns', { dns: 'localhost?.evil.example', port: 80 }],
    ['endpoints.dns', { dns: 'localhost#.evil.example', port: 80 }],
    ['endpoints.dns', { dns: 'localhost\\.evil.example', port: 80 }],
    ['endpoints.dns', { dns: 'user@localhost', port: 80 }],
    ['endpoints.dns', { dns: 'local host', port: 80 }],
    ['endpoints.dns', { dns: 'local\thost', port: 80 }],
    ['endpoints.srv', { srv: '_llm._tcp.evil.example' }],
    ['endpoints.srv', { srv: '_llm._tcp.localhost/.evil.example' }],
    ['endpoints.consul', { consul: 'http://169.254.169.254', service: 'llm' }],
    ['endpoints.consul', { consul: 'http://127.0.0.1:8500', service: 'llm' }],
    // A catalogue answers with addresses of its own choice, so it must be listed as a whole.
    ['endpoints.service', { consul: 'http://localhost:8500', service: 'llm' }],
  ])('%s %j is refused', async (field, endpoints) => {
    const told = await put({ base_url: 'http://localhost:1/v1', endpoints });
    expect([told.status, param(told)]).toEqual([400, field]);
  });

  test('a fleet of listed hosts is taken', async () => {
    const endpoints = { dns: 'a.models.internal', port: 80 };
    expect((await put({ base_url: 'http://localhost:1/v1', endpoints })).status).toBe(200);
    await stage.ask('DELETE', '/v1/providers/p');
  });

  test.each(['us-east-1.evil.example/', 'us-east-1#', '../x', 'US', ''])('aws region %j is refused', async (region) => {
    expect((await put({ wire: 'bedrock', aws: { region } })).status).toBe(400);
  });

  test('variables of the environment are not put into what comes over the API', async () => {
    const told = await put({ base_url: localhost(stage.other.baseUrl), api_key: '${env:SEKISHO_ADMIN_KEY}' });
    expect(told.status).toBe(200);
    await stage.chat('p/m');
    expect(stage.other.requests[0]?.headers['authorization']).toBe('Bearer ${env:SEKISHO_ADMIN_KEY}');
    await stage.ask('DELETE', '/v1/providers/p');
  });
});

describe('attack 3: a credential stays with the address it was entered for', () => {
  const elsewhere = [
    ['another host', { base_url: 'https://api.openai.com/v1' }],
    ['another path', { base_url: 'http://localhost:1/other' }],
    ['another port', { base_url: 'http://localhost:2/v1' }],
    ['the default address', {}],
    ['another wire', { wire: 'anthropic', base_url: 'http://localhost:1/v1' }],
    ['another flavour', { flavour: 'azure', base_url: 'http://localhost:1/v1' }],
    ['places of a fleet', { base_url: 'http://localhost:1/v1', endpoints: { list: ['http://localhost:2'] } }],
  ] as const;

  test.each(elsewhere)('%s: the credential must be entered again, and what was stored stays', async (_, more) => {
    expect((await put({ base_url: 'http://localhost:1/v1' })).status).toBe(200);
    const { api_key: _key, ...without } = provider(more);
    const told = await stage.ask('PUT', '/v1/providers/p', without);
    expect([told.status, param(told)]).toEqual([400, 'api_key']);
    expect((await stage.ask('GET', '/v1/providers')).text).toContain('"base_url":"http://localhost:1/v1"');
    expect((await stage.ask('PUT', '/v1/providers/p', provider(more))).status).toBe(200);
  });

  test('other changes keep it, and it is used', async () => {
    const base_url = localhost(stage.other.baseUrl);
    await put({ base_url });
    const { api_key: _key, ...without } = provider({ base_url, models: ['m', 'n'] });
    expect((await stage.ask('PUT', '/v1/providers/p', without)).json).toMatchObject({ has_credential: true });
    await stage.chat('p/n');
    expect(stage.other.requests[0]?.headers['authorization']).toBe(`Bearer ${SECRET}`);
  });

  test('one that was removed with its provider does not come back', async () => {
    const base_url = localhost(stage.other.baseUrl);
    await put({ base_url });
    await stage.ask('DELETE', '/v1/providers/p');
    const { api_key: _key, ...without } = provider({ base_url });
    expect((await stage.ask('PUT', '/v1/providers/p', without)).json).toMatchObject({ has_credential: false });
    await stage.chat('p/m');
    expect(stage.other.requests[0]?.headers['authorization'] ?? '').not.toContain(SECRET);
  });

  test('the test of a connection needs the right to change it', async () => {
    await put({ base_url: localhost(stage.other.baseUrl) });
    for (const body of [{ name: 'member' }, { name: 'bound', role: 'admin', allowed_routes: ['fast'] }]) {
      const made = await stage.ask('POST', '/v1/keys', body);
      const key = String(made.json['key']);
      for (const [method, path] of [
        ['POST', '/v1/providers/p/test'],
        ['PUT', '/v1/providers/p'],
        ['GET', '/v1/providers'],
        ['DELETE', '/v1/providers/p'],
      ] as const) {
        expect((await stage.ask(method, path, method === 'PUT' ? provider({}) : undefined, key)).status).toBe(403);
      }
    }
    expect(stage.other.requests).toHaveLength(0);
  });

  test('X2: a redirect of an upstream is not followed, with or without the credential', async () => {
    const hops: string[] = [];
    const redirecting = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (request) => {
        hops.push(new URL(request.url).pathname);
        return new Response(null, { status: 307, headers: { location: `${stage.other.origin}/v1/chat/completions` } });
      },
    });
    await put({ base_url: `http://localhost:${redirecting.port}/v1`, models: undefined });
    expect((await stage.chat('p/m')).status).toBe(502);
    expect((await stage.ask('POST', '/v1/providers/p/test')).json['ok']).toBe(false);
    expect(hops).toContain('/v1/chat/completions');
    expect(stage.other.requests).toHaveLength(0);
    await redirecting.stop(true);
  });
});

describe('attack 2: addresses of pictures, which wires that take bytes have fetched', () => {
  beforeAll(async () => {
    const prices = { m: { input_per_million: 1, output_per_million: 1 } };
    for (const [name, more] of [
      ['gem', { wire: 'gemini', base_url: `${localhost(stage.other.origin)}/v1beta` }],
      ['bed', { wire: 'bedrock', base_url: localhost(stage.other.origin), aws: { region: 'us-east-1' } }],
    ] as const) {
      expect((await stage.ask('PUT', `/v1/providers/${name}`, { ...provider(more), prices })).status).toBe(200);
    }
  });

  let met = 0;
  const watched = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => {
      met++;
      return new Response('inner secret', { headers: { 'content-type': 'image/png' } });
    },
  });
  afterAll(() => watched.stop(true));

  const pictures = [
    `http://127.0.0.1:${watched.port}/x.png`,
    `http://localhost:${watched.port}/x.png`,
    `http://127.1:${watched.port}/x.png`,
    `http://0x7f000001:${watched.port}/x.png`,
    `http://2130706433:${watched.port}/x.png`,
    `http://[::ffff:127.0.0.1]:${watched.port}/x.png`,
    `http://0.0.0.0:${watched.port}/x.png`,
    `http://user@127.0.0.1:${watched.port}/x.png`,
    'http://169.254.169.254/latest/meta-data/iam',
    'http://[fe80::1]/x.png',
    'http://10.0.0.1/x.png',
    'HTTP://127.0.0.1/x.png',
  ];

  test.each(['gem/m', 'bed/m'])('%s: none that is not public is asked, in any notation', async (model) => {
    for (const url of pictures) {
      const content = [{ type: 'image_url', image_url: { url } }];
      for (const [path, body] of [
        ['/v1/chat/completions', { model, messages: [{ role: 'user', content }] }],
        [
          '/v1/messages',
          {
            model,
            max_tokens: 9,
            messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }],
          },
        ],
        ['/v1/responses', { model, input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] }],
      ] as const) {
        const told = await stage.ask('POST', path, body);
        expect([path, url, told.status]).toEqual([path, url, 400]);
        expect(told.text).not.toContain('inner secret');
      }
    }
    expect(met).toBe(0);
    expect(stage.other.requests).toHaveLength(0);
  });

  test.each(['file:///etc/passwd', 'gopher://127.0.0.1/x', 'unix:/tmp/x', 'ftp://127.0.0.1/x', '//127.0.0.1/x'])(
    '%s is no picture',
    async (url) => {
      for (const model of ['gem/m', 'bed/m']) {
        const content = [{ type: 'image_url', image_url: { url } }];
        const told = await stage.ask('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content }] });
        expect([model, told.status]).toEqual([model, 400]);
      }
      expect(stage.other.requests).toHaveLength(0);
    },
  );
});
