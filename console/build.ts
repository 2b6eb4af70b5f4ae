import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { consoleFingerprint } from '../src/http/console/console-fingerprint.ts';

/**
 * Bundles the console into console/dist: `index.html` and `docs.html`, their assets under names that carry
 * their content's hash, and last the fingerprint of what it was built from. Every file appears under its
 * final name by a rename, so that builds at the same time, or a server that is reading, never see half a file.
 */
interface Page {
  file: string;
  title: string;
  assets: { script: string; style: string };
}

const here = import.meta.dir;
const dist = join(here, 'dist');
const assetsUrl = '/console/assets/';

async function bundle(entry: string): Promise<{ text: string; extension: string }> {
  const result = await Bun.build({
    entrypoints: [join(here, entry)],
    target: 'browser',
    format: 'iife',
    minify: true,
    env: 'disable',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const output = result.outputs[0];
  if (output === undefined || result.outputs.length !== 1) throw new Error(`${entry}: expected one output`);
  return { text: await output.text(), extension: entry.endsWith('.css') ? 'css' : 'js' };
}

async function place(name: string, text: string): Promise<void> {
  const file = join(dist, name);
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, text);
  await rename(draft, file);
}

async function placeAsset(entry: string, name: string): Promise<string> {
  const { text, extension } = await bundle(entry);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
  const file = `${name}-${hash}.${extension}`;
  await place(join('assets', file), text);
  return file;
}

function htmlOf(page: Page, boot: string, icon: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}</title>
<link rel="icon" type="image/svg+xml" href="${assetsUrl}${icon}">
<link rel="stylesheet" href="${assetsUrl}${page.assets.style}">
<script src="${assetsUrl}${boot}"></script>
<script type="module" src="${assetsUrl}${page.assets.script}"></script>
</head>
<body><div id="root"></div><noscript>Sekisho's console needs JavaScript. コンソールには JavaScript が必要です。</noscript></body>
</html>
`;
}

async function placeIcon(): Promise<string> {
  const text = await Bun.file(join(here, 'styles', 'icon.svg')).text();
  const file = `icon-${createHash('sha256').update(text).digest('hex').slice(0, 10)}.svg`;
  await place(join('assets', file), text);
  return file;
}

const fingerprint = await consoleFingerprint(join(here, '..'));
if (fingerprint === undefined) throw new Error('The sources of the console are incomplete.');
await mkdir(join(dist, 'assets'), { recursive: true });
const [boot, playground, reference, style, icon] = await Promise.all([
  placeAsset('src/boot.ts', 'boot'),
  placeAsset('src/playground.tsx', 'playground'),
  placeAsset('src/reference.tsx', 'reference'),
  placeAsset('styles/console.css', 'console'),
  placeIcon(),
]);
const pages: Page[] = [
  { file: 'index.html', title: 'Sekisho', assets: { script: playground, style } },
  { file: 'docs.html', title: 'Sekisho API', assets: { script: reference, style } },
];
for (const page of pages) await place(page.file, htmlOf(page, boot, icon));
await place('fingerprint.txt', `${fingerprint}\n`);

const current = new Set([boot, playground, reference, style, icon]);
for (const file of await readdir(join(dist, 'assets'))) {
  if (!current.has(file) && !file.endsWith('.tmp')) await rm(join(dist, 'assets', file), { force: true });
}
