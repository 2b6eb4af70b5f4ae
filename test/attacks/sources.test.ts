/**
 * Sources fetch what somebody names: every way to name what is not theirs to reach, archives and markup that grow,
 * paths that lead out of a folder, and credentials that stay with their place.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { isJsonObject } from '../../src/lib/json.ts';
import { createFolderConnector } from '../../src/rag/sources/connectors/folder.ts';
import { parseRobots } from '../../src/rag/sources/connectors/robots.ts';
import { readSitemap } from '../../src/rag/sources/connectors/read-sitemap.ts';
import { readBucketPage } from '../../src/rag/sources/connectors/read-bucket-page.ts';
import { startAdminStage, type AdminStage, type Told } from '../support/admin-stage.ts';
import { openSourceStage } from '../support/source-stage.ts';
import { startWebSite, type WebSite } from '../support/web-site.ts';

let stage: AdminStage;
let inner: WebSite;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-allowed-'));
  stage = await startAdminStage({ sources: { folders: [folder], hosts: ['localhost'] } });
  inner = startWebSite();
  inner.put('/secret', '<p>inner secret</p>');
  inner.put('/robots.txt', '');
});
afterAll(async () => {
  await stage.stop();
  await inner.stop();
  rmSync(folder, { recursive: true, force: true });
});

const create = (settings: object, more: object = {}, key?: string): Promise<Told> =>
  stage.ask('POST', '/v1/sources', { name: 's', collection: 'c', settings, ...more }, key);
const param = ({ json }: Told): unknown => isJsonObject(json['error']) && json['error']['param'];

/** Kinds that take an address, with one in its place. */
const ADDRESSED = (url: string): object[] => [
  { kind: 'url', url },
  { kind: 'sitemap', url },
  { kind: 'crawl', url },
  { kind: 'git', url },
  { kind: 's3', bucket: 'bucket', endpoint: url },
];

describe('attack 2: addresses', () => {
  test.each([
    'http://127.0.0.1/x',
    'http://127.1/x',
    'http://0x7f000001/x',
    'http://0x7f.1/x',
    'http://2130706433/x',
    'http://017700000001/x',
    'http://[::1]/x',
    'http://[::ffff:127.0.0.1]/x',
    'http://[::ffff:7f00:1]/x',
    'http://0.0.0.0/x',
    'http://169.254.169.254/latest/meta-data',
    'http://[fd00:ec2::254]/latest/meta-data',
    'http://10.0.0.1/x',
    'http://１２７.０.０.１/x',
    'https://example.com@127.0.0.1/x',
    'https://user:pass@example.com/x',
    'https://user@localhost/x',
    'file:///etc/passwd',
    'gopher://localhost:6379/_FLUSHALL',
    'unix:/var/run/docker.sock',
    'ftp://example.com/x',
    'data:text/html,hi',
    'javascript:alert(1)',
    'ssh://git@example.com/x',
    'git@example.com:x/y.git',
    'ext::sh -c touch% /tmp/owned',
    '--upload-pack=touch /tmp/owned',
    'http://example.com/x\r\nHost: inner',
    'http://example.com\\@127.0.0.1/',
    '//localhost/x',
    '',
  ])('%j is refused by every kind', async (url) => {
    for (const settings of ADDRESSED(url)) {
      const told = await create(settings);
      expect([settings, told.status]).toEqual([settings, 400]);
    }
    expect((await stage.ask('GET', '/v1/sources')).json['data']).toEqual([]);
  });

  test.each([
    { kind: 'git', url: 'https://example.com/x', branch: '--upload-pack=touch /tmp/owned' },
    { kind: 'git', url: 'https://example.com/x', branch: '../../x' },
    { kind: 'git', url: 'https://example.com/x', path: '../x' },
    { kind: 's3', bucket: '../other' },
    { kind: 's3', bucket: 'evil.example/x?' },
    { kind: 's3', bucket: 'bucket', region: 'x.evil.example/' },
    { kind: 'crawl', url: 'https://example.com/a/', prefix: 'https://other.example/' },
    { kind: 'url', url: 'https://example.com', command: 'touch /tmp/owned' },
    { kind: 'exec', command: 'touch /tmp/owned' },
  ])('%j is refused', async (settings) => {
    expect((await create(settings)).status).toBe(400);
  });

  /** A source whose names resolve as told, and where connections to a public address end at the inner site. */
  const open = (resolve: (hostname: string) => string[]) => {
    const sent: string[] = [];
    return openSourceStage({
      isListedHost: () => false,
      network: {
        resolve: (hostname) => Promise.resolve(resolve(hostname)),
        fetch: (url, init) => {
          sent.push(url);
          const to = new URL(url);
          const { tls: _tls, ...rest } = init;
          return fetch(`${inner.origin}${to.pathname}${to.search}`, rest);
        },
      },
    }).then((opened) => ({ ...opened, sent }));
  };

  test.each(['url', 'sitemap', 'crawl', 'git'])(
    '%s: a name of a private address is not asked, nor is anything it led to',
    async (kind) => {
      const each = await open(() => ['10.0.0.8']);
      const run = await each.run(await each.create({ kind, url: 'http://wiki.example/secret' }));
      expect(JSON.stringify([run.reason, run.failures])).toContain('no public address');
      expect([each.sent, await each.ids()]).toEqual([[], []]);
      await each.end();
    },
  );

  test.each([
    'http://169.254.169.254/secret',
    'http://127.1/secret',
    'http://[::ffff:127.0.0.1]/secret',
    'file:///etc/passwd',
    'http://inner.example/secret',
  ])('a redirect of a public host to %s is not followed', async (to) => {
    const each = await open((hostname) => [hostname === 'inner.example' ? '127.0.0.1' : '93.184.215.14']);
    inner.redirect('/first', '/second');
    inner.redirect('/second', to);
    const run = await each.run(await each.create({ kind: 'url', url: 'http://public.example/first' }));
    expect(run).toMatchObject({ failed: 1, changed: 0 });
    expect(each.sent.map((url) => new URL(url).pathname)).toEqual(['/first', '/second']);
    await each.end();
  });

  test('a name that answers otherwise the second time is not followed there', async () => {
    let asked = 0;
    const each = await open(() => [asked++ === 0 ? '93.184.215.14' : '127.0.0.1']);
    const source = await each.create({ kind: 'url', url: 'http://rebind.example/secret' });
    // The connection goes to the address that was checked; the next look finds the private one.
    expect((await each.run(source)).changed).toBe(1);
    expect(each.sent.map((url) => new URL(url).hostname)).toEqual(['93.184.215.14']);
    expect((await each.run(source)).failures[0]?.reason).toContain('no public address');
    await each.end();
  });

  test('pages of another site, in a sitemap or behind a link, are not fetched', async () => {
    const other = startWebSite();
    other.put('/secret', '<p>inner secret</p>');
    const each = await openSourceStage();
    inner.put(
      '/map.xml',
      `<urlset><url><loc>${other.origin}/secret</loc></url><url><loc>file:///etc/passwd</loc></url></urlset>`,
    );
    inner.put(
      '/docs/',
      `<a href="${other.origin}/secret">x</a> <a href="/secret">x</a> <a href="/docs/../secret">x</a> <a href="/docs/%2e%2e/secret">x</a>`,
    );
    await each.run(await each.create({ kind: 'sitemap', url: `${inner.origin}/map.xml`, delay_ms: 0 }));
    inner.asked.length = 0;
    await each.run(await each.create({ kind: 'crawl', url: `${inner.origin}/docs/`, delay_ms: 0 }));
    expect([other.asked, inner.asked]).toEqual([[], ['GET /robots.txt', 'GET /docs/']]);
    await each.end();
    await other.stop();
  });
});

describe('attack 3: credentials', () => {
  const credentials = { authorization: 'Bearer inner-token-4711' };
  const settings = { kind: 'url', url: 'https://example.com/a' };

  test('are never told, and stay with the address that they were entered for', async () => {
    const made = await create(settings, { credentials });
    expect(made.json).toMatchObject({ has_credentials: true });
    const path = `/v1/sources/${String(made.json['id'])}`;
    expect((await stage.ask('PATCH', path, { name: 'other' })).json).toMatchObject({ has_credentials: true });
    for (const url of [
      'https://example.com/b',
      'https://evil.example/a',
      'http://example.com/a',
      'https://example.com:444/a',
    ]) {
      const told = await stage.ask('PATCH', path, { settings: { ...settings, url } });
      expect([url, told.status, param(told)]).toEqual([url, 400, 'credentials']);
    }
    const moved = { settings: { ...settings, url: 'https://example.com/b' } };
    expect((await stage.ask('PATCH', path, { ...moved, credentials: null })).json).toMatchObject({
      has_credentials: false,
    });
    expect((await stage.ask('PATCH', path, { ...moved, credentials })).json).toMatchObject({ has_credentials: true });
    const all = [
      made,
      await stage.ask('GET', path),
      await stage.ask('GET', '/v1/sources'),
      await stage.ask('GET', `${path}/runs`),
    ];
    for (const told of all) expect(told.text).not.toContain('inner-token-4711');
    await stage.ask('DELETE', path);
  });

  test('do not go over the open network in clear, nor to a kind that has no use for them', async () => {
    expect(param(await create({ kind: 'url', url: 'http://example.com/a' }, { credentials }))).toBe('credentials');
    expect(param(await create({ kind: 's3', bucket: 'bucket' }, { credentials }))).toBe('credentials');
    expect((await create(settings, { credentials: { authorization: 'a\r\nHost: inner' } })).status).toBe(400);
  });
});

test('sources are for administrators; those of another tenant, or of nobody, are not there', async () => {
  const key = String((await stage.ask('POST', '/v1/keys', { name: 'member' })).json['key']);
  for (const [method, path] of [
    ['GET', '/v1/sources'],
    ['POST', '/v1/sources'],
    ['POST', '/v1/sources/src_0/run'],
    ['DELETE', '/v1/sources/src_0'],
  ] as const) {
    const body = method === 'POST' ? { name: 's', collection: 'c', settings: { kind: 'upload' } } : undefined;
    expect((await stage.ask(method, path, body, key)).status).toBe(403);
  }
  for (const id of ['src_0', "src_'%20OR%201=1", '..%2fkeys', 'x'.repeat(500)]) {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect((await stage.ask(method, `/v1/sources/${id}`, method === 'PATCH' ? {} : undefined)).status).toBe(404);
    }
  }
  const each = await openSourceStage();
  each.write('a.md', 'Words.');
  const source = await each.create({ kind: 'folder', path: each.inbox });
  expect(each.sources.get('ten_other', source.id)).rejects.toMatchObject({ code: 'source_not_found' });
  expect(each.sources.run('ten_other', source.id)).rejects.toMatchObject({ code: 'source_not_found' });
  // What the operator has opened is not open to others.
  const draft = {
    name: 's',
    collection: 'c',
    access: null,
    schedule: null,
    timeZone: 'UTC',
    removal: 'full',
    state: 'active',
  } as const;
  const settings = { kind: 'folder', path: each.inbox, include: [], exclude: [], watch: false } as const;
  expect(
    each.sources.create('ten_other', 'key_x', { ...draft, settings: { ...settings, include: [], exclude: [] } }),
  ).rejects.toMatchObject({ code: 'invalid_request' });
  await each.end();
});

describe('attack 13: folders', () => {
  test('nothing but what is allowed, and the same words whether it is there or not', async () => {
    mkdirSync(join(folder, 'in'));
    symlinkSync('/etc', join(folder, 'etc'));
    const words = new Set<string>();
    for (const path of [
      '/etc',
      '/',
      `${folder}/../`,
      `${folder}/in/../..`,
      `${folder}-other`,
      join(folder, 'etc'),
      '/nowhere/at/all',
      '../..',
      `${folder}\0`,
    ]) {
      const told = await create({ kind: 'folder', path });
      expect([path, told.status, param(told)]).toEqual([path, 400, 'settings.path']);
      words.add(told.text.replace(/req_\w+/g, ''));
    }
    expect(words.size).toBe(1);
    expect((await create({ kind: 'folder', path: join(folder, 'in') })).status).toBe(201);
  });

  test('a folder that becomes a link between the listing and the reading leads nowhere', async () => {
    const root = mkdtempSync(join(tmpdir(), 'sekisho-swap-'));
    const outside = mkdtempSync(join(tmpdir(), 'sekisho-outside-'));
    for (const at of [join(root, 'sub'), outside]) {
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, 'a.md'), at === outside ? 'outside secret' : 'inside');
    }
    const connector = createFolderConnector({ path: root, roots: [root], include: [], exclude: [] });
    const { signal } = new AbortController();
    const { value } = await connector.list({ signal, memory: undefined }).next();
    renameSync(join(root, 'sub'), join(root, 'gone'));
    symlinkSync(outside, join(root, 'sub'));
    const item = value !== undefined && 'fetch' in value ? value : expect.unreachable();
    expect(item.fetch(undefined, signal)).rejects.toThrow('outside');
    for (const at of [root, outside]) rmSync(at, { recursive: true, force: true });
  });
});

describe('attack 14: markup', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test('a sitemap that grows is refused: packed, in number, by entities', async () => {
    for (const bomb of [
      gzipSync(`<urlset>${' '.repeat(100_000_000)}</urlset>`),
      bytes(`<urlset>${'<url><loc>http://a.example/</loc></url>'.repeat(60_000)}</urlset>`),
      bytes('<!DOCTYPE u [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'),
      bytes('<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>'),
      bytes('<urlset><url><loc>&x;</loc></url></urlset>'),
      bytes('<urlset>'.padEnd(100, '<a>')),
      bytes('<html></html>'),
      gzipSync('x').subarray(0, 10),
    ]) {
      const thrown = await readSitemap(bomb).then(
        () => 'read',
        (reason: unknown) => String(reason),
      );
      expect(thrown).toContain('sitemap');
    }
  });

  test('so is the listing of a bucket', () => {
    for (const text of [
      '<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><ListBucketResult/>',
      `<ListBucketResult>${'<Contents><Key>a</Key></Contents>'.repeat(1_001)}</ListBucketResult>`,
      '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
      '<Error/>',
    ]) {
      expect(() => readBucketPage(bytes(text))).toThrow(/bucket/);
    }
  });

  test('patterns of a robots.txt take no time, however they are made', () => {
    const robots = parseRobots(`User-agent: *\nDisallow: /${'*a'.repeat(900)}$\n`.repeat(20), 'Sekisho');
    const startMs = performance.now();
    expect(robots.mayFetch(new URL(`http://a.example/${'a'.repeat(8_000)}b`))).toBe(true);
    expect(performance.now() - startMs).toBeLessThan(100);
  });
});
