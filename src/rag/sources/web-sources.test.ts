import { afterEach, beforeEach, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { PLACE } from '../../../test/support/ingest-stage.ts';
import { figures, openSourceStage, type SourceStage } from '../../../test/support/source-stage.ts';
import { startWebSite, type WebSite } from '../../../test/support/web-site.ts';

let stage: SourceStage;
let site: WebSite;
beforeEach(async () => {
  stage = await openSourceStage();
  site = startWebSite();
});
afterEach(async () => {
  await stage.end();
  await site.stop();
});

const page = (title: string, body: string, head = ''): string =>
  `<!doctype html><html><head><title>${title}</title>${head}</head><body><main><h1>${title}</h1><p>${body}</p></main></body></html>`;
const counts = (found: number, changed: number, unchanged: number, removed = 0, failed = 0) => ({
  found,
  changed,
  unchanged,
  removed,
  failed,
});
/** Paths of the site that are in the collection. */
const paths = async (): Promise<string[]> => (await stage.ids()).map((id) => id.slice(site.origin.length)).sort();

test('a page is asked for conditionally, and goes where it is gone', async () => {
  site.put('/manual', page('Manual', 'Turn the handle to the left.'));
  const source = await stage.create({ kind: 'url', url: `${site.origin}/manual` });
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 1, 0), true, []]);
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 0, 1), true, []]);
  expect(site.headersOf('/manual')?.get('if-none-match')).toMatch(/^"\d+"$/);
  expect(site.headersOf('/manual')?.get('user-agent')).toContain('Sekisho');
  const [record] = await stage.documents.list(PLACE, { after: '', limit: 10 });
  expect(record).toMatchObject({ title: 'Manual', metadata: { url: `${site.origin}/manual`, source: source.id } });

  // Another ETag over the same words is stopped by the second gate.
  site.put('/manual', page('Manual', 'Turn the handle to the left.'), { etag: '"other"' });
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 0, 1), true, []]);
  site.put('/manual', page('Manual', 'Turn the handle to the right.'));
  expect((await stage.run(source)).changed).toBe(1);
  expect(await stage.find('right')).toHaveLength(1);

  site.fail('/manual', 500);
  expect(await stage.run(source)).toMatchObject({ failed: 1, removed: 0 });
  expect(await stage.find('right')).toHaveLength(1);
  site.remove('/manual');
  expect(await stage.run(source)).toMatchObject({ found: 0, removed: 1 });
  expect(await stage.find('right')).toEqual([]);
});

test('what the answer says of format and encoding holds, whatever the address looks like', async () => {
  const shiftJis = new Uint8Array([0x8a, 0xd6, 0x8f, 0x8a, 0x82, 0xcd, 0x91, 0xe5, 0x8d, 0xe3]);
  const html = new Uint8Array([
    ...new TextEncoder().encode('<html><body><p>'),
    ...shiftJis,
    ...new TextEncoder().encode('</p></body></html>'),
  ]);
  site.put('/ja.php?id=1', html, { 'content-type': 'text/html; charset=Shift_JIS' });
  const source = await stage.create({ kind: 'url', url: `${site.origin}/ja.php?id=1` });
  expect((await stage.run(source)).failures).toEqual([]);
  expect((await stage.documents.get(PLACE, `${source.id}/${site.origin}/ja.php?id=1`))?.text).toContain('関所は大阪');
});

const sitemap = (...entries: [path: string, lastmod?: string][]): string =>
  `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${entries
    .map(
      ([path, lastmod]) =>
        `<url><loc>${site.origin}${path}</loc>${lastmod ? `<lastmod>${lastmod}</lastmod>` : ''}</url>`,
    )
    .join('')}</urlset>`;

test('a sitemap with an index and gzip; what it says of changes is believed, what is out of it goes', async () => {
  site.put(
    '/sitemap.xml',
    `<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap><loc>${site.origin}/a.xml.gz</loc></sitemap>` +
      `<sitemap><loc>${site.origin}/b.xml</loc></sitemap></sitemapindex>`,
  );
  site.put('/a.xml.gz', gzipSync(sitemap(['/one', '2026-01-01'], ['/two'])), { 'content-type': 'application/gzip' });
  site.put(
    '/b.xml',
    sitemap(['/three?x=1&amp;utm_source=mail'], ['/three?x=1']).replace(
      '</urlset>',
      '<url><loc>http://other.example/x</loc></url></urlset>',
    ),
  );
  site.put('/one', page('One', 'First words.'));
  site.put('/two', page('Two', 'Second words.'));
  site.put('/three?x=1', page('Three', 'Third words.'));
  const source = await stage.create({ kind: 'sitemap', url: `${site.origin}/sitemap.xml`, delay_ms: 0 });
  expect(figures(await stage.run(source))).toEqual(['done', counts(3, 3, 0), true, []]);
  expect(await paths()).toEqual(['/one', '/three?x=1', '/two']);

  site.asked.length = 0;
  expect(figures(await stage.run(source))).toEqual(['done', counts(3, 0, 3), true, []]);
  // The one whose last change is told was not asked for at all, the others conditionally.
  expect(site.asked).not.toContain('GET /one');
  expect(site.headersOf('/two')?.has('if-none-match')).toBe(true);

  site.put('/one', page('One', 'New words.'));
  site.put('/a.xml.gz', sitemap(['/one', '2026-02-01']));
  expect(figures(await stage.run(source))).toEqual(['done', counts(2, 1, 1, 1), true, []]);
  expect(await paths()).toEqual(['/one', '/three?x=1']);

  // A sitemap that cannot be read says nothing of what is gone.
  site.fail('/b.xml', 503);
  expect(await stage.run(source)).toMatchObject({ state: 'failed', removed: 0 });
  expect(await paths()).toEqual(['/one', '/three?x=1']);
});

test('a crawl stays below its prefix and does what robots.txt and the pages say', async () => {
  site.put('/robots.txt', 'User-agent: *\nDisallow: /\n\nUser-agent: sekisho\nDisallow: /docs/private\nAllow: /', {
    'content-type': 'text/plain',
  });
  const links = (...to: string[]): string => to.map((href) => `<a href="${href}">x</a>`).join(' ');
  site.put(
    '/docs/',
    page(
      'Start',
      `Begin. ${links('a.html', '/docs/b.html#part', '/outside.html', '/docs/private/x.html', '/docs/missing.html', 'mailto:x@y', 'javascript:void(0)')} <a rel="nofollow" href="/docs/c.html">c</a>`,
    ),
  );
  site.put(
    '/docs/a.html',
    page('A', `Words of A. ${links('/docs/', '/docs/hidden.html', '/docs/b.html?utm_source=a')}`),
  );
  site.put('/docs/b.html', page('B', `Words of B. ${links('/docs/moved.html', '/docs/away.html')}`));
  site.put('/docs/c.html', page('C', 'Nobody follows.'));
  site.put(
    '/docs/hidden.html',
    page('Hidden', `Not to be found. ${links('/docs/d.html')}`, '<meta name="robots" content="noindex">'),
  );
  site.put('/docs/d.html', page('D', 'Words of D.', `<link rel="canonical" href="${site.origin}/docs/real-d.html">`));
  site.put('/docs/real-d.html', page('D', 'Words of D.'));
  site.redirect('/docs/moved.html', '/docs/a.html');
  site.redirect('/docs/away.html', '/outside.html');
  site.put('/outside.html', page('Outside', 'Not ours.'));
  site.put('/docs/private/x.html', page('Private', 'Not for robots.'));

  const source = await stage.create({ kind: 'crawl', url: `${site.origin}/docs/`, delay_ms: 0 });
  const first = await stage.run(source);
  expect(await paths()).toEqual(['/docs/', '/docs/a.html', '/docs/b.html', '/docs/real-d.html']);
  expect(first.failures.map(({ key }) => key.slice(site.origin.length))).toEqual(['/docs/away.html']);
  for (const path of ['/outside.html', '/docs/private/x.html', '/docs/c.html'])
    expect(site.asked).not.toContain(`GET ${path}`);

  // Where a page could not be read, what hangs on it may still be there.
  site.put('/docs/b.html', page('B', 'No links any more.'));
  site.fail('/docs/a.html', 500);
  expect(await stage.run(source)).toMatchObject({ removed: 0 });
  site.put('/docs/a.html', page('A', 'No links either.'));
  expect(figures(await stage.run(source))).toEqual(['done', counts(3, 1, 2, 1), true, []]);
  expect(await paths()).toEqual(['/docs/', '/docs/a.html', '/docs/b.html']);
});

test('a site whose rules cannot be read is left alone', async () => {
  site.fail('/robots.txt', 503);
  site.put('/docs/', page('Start', 'Begin.'));
  const source = await stage.create({ kind: 'crawl', url: `${site.origin}/docs/`, delay_ms: 0 });
  expect(await stage.run(source)).toMatchObject({ state: 'failed', found: 0 });
  expect(site.asked).toEqual(['GET /robots.txt']);
});

test('a crawl keeps the pause that it was told, or that the site asks for', async () => {
  const waited: number[] = [];
  let nowMs = 0;
  const slow = stage.open({
    clock: { nowMs: () => Date.now(), monotonicMs: () => nowMs },
    sleep: (ms) => {
      waited.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
  });
  site.put('/robots.txt', 'User-agent: *\nCrawl-delay: 2');
  site.put('/', page('Start', '<a href="/a">a</a> <a href="/b">b</a>'));
  site.put('/a', page('A', 'Words.'));
  site.put('/b', page('B', 'Words.'));
  const source = await stage.create({ kind: 'crawl', url: `${site.origin}/`, delay_ms: 700 });
  await stage.run(source, slow);
  expect(waited).toEqual([2_000, 2_000]);
  await slow.close();
});
