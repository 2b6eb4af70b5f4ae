import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConsoleAssets } from './console-assets.ts';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-console-'));
mkdirSync(join(folder, 'assets'));
writeFileSync(join(folder, 'index.html'), '<!doctype html>');
writeFileSync(join(folder, 'fingerprint.txt'), 'secret');
writeFileSync(join(folder, 'assets', 'a-0123456789.js'), 'go()');
writeFileSync(join(folder, 'assets', 'a.js.42.tmp'), 'half');
afterAll(() => rmSync(folder, { recursive: true }));

test('pages are checked each time, assets are kept for ever, both under a strict policy', async () => {
  const assets = createConsoleAssets({ folder });
  const page = assets('/console');
  expect(await page?.text()).toBe('<!doctype html>');
  expect(page?.headers.get('cache-control')).toBe('no-cache');
  expect(page?.headers.get('content-security-policy')).toContain("default-src 'self'");
  expect(page?.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  expect(page?.headers.get('x-content-type-options')).toBe('nosniff');
  expect(page?.headers.get('referrer-policy')).toBe('no-referrer');
  const script = assets('/console/assets/a-0123456789.js');
  expect(script?.headers.get('content-type')).toStartWith('text/javascript');
  expect(script?.headers.get('cache-control')).toContain('immutable');
});

test('only what was built has an address', () => {
  const assets = createConsoleAssets({ folder });
  const others = ['/console/fingerprint.txt', '/console/assets/', '/console/assets/a.js.42.tmp', '/docs', ''];
  const climbs = [
    '/console/assets/../fingerprint.txt',
    '/console/assets/..%2ffingerprint.txt',
    '/console/../etc/passwd',
  ];
  for (const path of [...others, ...climbs, '/console/assets/__proto__']) expect(assets(path)).toBeUndefined();
});

test('a folder that is not there has no pages', () => {
  expect(createConsoleAssets({ folder: join(folder, 'missing') })('/console')).toBeUndefined();
});
