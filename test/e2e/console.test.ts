import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { ensureConsoleBuilt } from '../../src/http/console/ensure-console-built.ts';
import { FIXTURE_KEY, startConsoleFixture } from './console-fixture.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(!existsSync(CHROMIUM))('the console in a browser', () => {
  let browser: Browser;
  let fixture: ReturnType<typeof startConsoleFixture>;

  beforeAll(async () => {
    const built = await ensureConsoleBuilt({ root: join(import.meta.dir, '..', '..') });
    expect(built.problem).toBeUndefined();
    fixture = startConsoleFixture(built.folder);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await fixture?.stop();
  });

  interface Visit {
    path?: string;
    locale?: string;
    width?: number;
    colorScheme?: 'light' | 'dark';
  }

  async function visit(options: Visit, steps: (page: Page, outside: string[]) => Promise<void>): Promise<void> {
    const context = await browser.newContext({
      locale: options.locale ?? 'en-US',
      colorScheme: options.colorScheme ?? 'light',
      viewport: { width: options.width ?? 1280, height: 800 },
    });
    const page = await context.newPage();
    const outside: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(`${fixture.origin}/`)) outside.push(request.url());
    });
    page.on('pageerror', (error) => outside.push(`error: ${error.message}`));
    try {
      await page.goto(`${fixture.origin}${options.path ?? `/console#key=${FIXTURE_KEY}`}`);
      await steps(page, outside);
      expect(outside).toEqual([]);
    } finally {
      await context.close();
    }
  }

  async function ask(page: Page, question: string): Promise<void> {
    await page.fill('#question', question);
    await page.keyboard.press('Control+Enter');
  }

  test('asks for a key, refuses a wrong one in the reader’s language, and keeps a right one', async () => {
    await visit({ path: '/console', locale: 'ja-JP' }, async (page) => {
      await page.fill('#api-key', 'wrong');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').waitFor();
      expect(await page.getByRole('alert').innerText()).toContain('API キーが登録されていません。');
      expect(await page.getByRole('alert').innerText()).toContain('req_refused');
      await page.fill('#api-key', FIXTURE_KEY);
      await page.keyboard.press('Enter');
      await page.locator('#question').waitFor();
      await page.reload();
      await page.locator('#question').waitFor();
      await page.getByRole('button', { name: 'キーを消す' }).click();
      await page.locator('#api-key').waitFor();
    });
  });

  test('takes the key out of the address', async () => {
    await visit({}, async (page) => {
      await page.locator('#question').waitFor();
      expect(page.url()).toBe(`${fixture.origin}/console`);
    });
  });

  test('lists collections and chat models, not embedding models', async () => {
    await visit({}, async (page) => {
      await page.locator('#question').waitFor();
      const options = await page.locator('.picker-main option').allInnerTexts();
      expect(options).toEqual(['handbook', 'extractive', 'fast']);
    });
  });

  test('shows an answer with its cited sentence, its sources, its explain record and its facts', async () => {
    await visit({}, async (page) => {
      await ask(page, 'How do I make a key?');
      await page.locator('.citation').first().waitFor();
      expect(await page.locator('.markdown').innerText()).toContain('A key is made with sekisho keys create');
      expect(await page.locator('mark').last().innerText()).toStartWith('A key is made');
      expect(await page.locator('.facts').innerText()).toContain('req_0k3j5h2mfixture');
      await page.getByRole('tab', { name: 'Why these' }).click();
      expect(await page.locator('.explain tbody tr').count()).toBe(3);
      await page.getByRole('button', { name: 'Go to source 1' }).first().click();
      await page.locator('#source-0:focus').waitFor();
    });
  });

  test('gives an example question in the reader’s language, and cites Japanese', async () => {
    await visit({ locale: 'ja-JP', width: 390, colorScheme: 'dark' }, async (page) => {
      await page.locator('.examples button').first().click();
      await page.locator('.citation').first().waitFor();
      expect(await page.locator('mark').innerText()).toBe('関所は、すべてのリクエストを確かめて送り出す門です。');
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(overflow).toBe(0);
    });
  });

  test('remembers the chosen language and theme', async () => {
    await visit({}, async (page) => {
      await page.getByRole('button', { name: '日本語' }).click();
      await page.getByRole('button', { name: /^配色/ }).click();
      await page.reload();
      await page.getByRole('button', { name: '質問する' }).waitFor();
      expect(await page.locator('html').getAttribute('lang')).toBe('ja');
      expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
    });
  });

  test('Escape stops the stream, and the server hears of it', async () => {
    await visit({}, async (page) => {
      const before = fixture.aborted();
      await ask(page, 'slow');
      await page.locator('.markdown', { hasText: 'Slowly' }).waitFor();
      await page.keyboard.press('Escape');
      await page.locator('.stopped').waitFor();
      await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
      expect(await fixture.abortedAfter(before)).toBe(before + 1);
    });
  });

  test('says so when an answer breaks off or fails late', async () => {
    await visit({}, async (page) => {
      await ask(page, 'break');
      await page.getByRole('alert').waitFor();
      expect(await page.locator('.markdown').innerText()).toBe('Half an ans');
      expect(await page.getByRole('alert').innerText()).toContain('broke off');
      await ask(page, 'fail');
      await page.locator('code', { hasText: 'overloaded' }).waitFor();
      expect(await page.getByRole('alert').innerText()).toContain('req_late');
    });
  });

  test('streams a model’s answer as Markdown with its tokens', async () => {
    await visit({}, async (page) => {
      await page.selectOption('.picker-main select', 'fast');
      await ask(page, 'Hello');
      await page.locator('.facts', { hasText: '12 / 34' }).waitFor();
      expect(await page.locator('.markdown li').count()).toBe(2);
      expect(await page.locator('.markdown pre').innerText()).toBe('const gate = open();');
    });
  });

  test('scripts planted in answers, titles, metadata and descriptions do nothing', async () => {
    await visit({}, async (page) => {
      await ask(page, 'hostile');
      await page.locator('.source').first().waitFor();
      await page.locator('.facts', { hasText: 'Total' }).waitFor();
      await page.locator('.source summary').first().click();
      await page.getByRole('tab', { name: 'Why these' }).click();
      await page.getByRole('tab', { name: 'Sources' }).click();
      expect(await page.evaluate('window.broken')).toBeUndefined();
      expect(await page.locator('main img, main iframe, main script').count()).toBe(0);
      const links = await page.locator('main a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
      expect(links.every((href) => href?.startsWith('https://') === true)).toBe(true);
      expect(await page.locator('.citation').allInnerTexts()).toEqual(['1']);
    });
  });

  test('the reader of the API lists operations and fields of a schema that contains itself', async () => {
    await visit({ path: '/docs', width: 390 }, async (page) => {
      await page.locator('details.operation summary').first().click();
      const fields = await page.locator('.fields tbody th code').first().innerText();
      expect(fields).toBe('query');
      expect(await page.locator('.operation pre').first().innerText()).toContain('"collection": "handbook"');
      expect(await page.evaluate('window.broken')).toBeUndefined();
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(overflow).toBe(0);
    });
  });
});
