/** Attack 13: archives and names made to reach, fill or confuse what unpacks them. Every upload goes over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { rawZip, zipOf, type RawEntry } from '../support/make-files.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
});
afterAll(() => stage.stop());

interface Told {
  status: number;
  indexed: unknown;
  failed: Record<string, string>;
  ms: number;
}

let uploads = 0;

/** Uploads files into a collection of their own. */
async function upload(files: Record<string, string | Uint8Array>): Promise<Told & { collection: string }> {
  const collection = `attack${++uploads}`;
  const form = new FormData();
  for (const [name, content] of Object.entries(files)) form.append('file', new File([Buffer.from(content)], name));
  const startedMs = performance.now();
  const response = await fetch(`${stage.server.url}/v1/collections/${collection}/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
    body: form,
  });
  const body = parseJson(await response.text());
  const json: JsonObject = isJsonObject(body) ? body : {};
  const failed = arrayAt(json, 'failed')
    .filter(isJsonObject)
    .map((each): [string, string] => [stringAt(each, 'id') ?? '', stringAt(each, 'reason') ?? '']);
  return {
    collection,
    status: response.status,
    indexed: json['indexed'],
    failed: Object.fromEntries(failed),
    ms: performance.now() - startedMs,
  };
}

async function ids(collection: string): Promise<string[]> {
  const { json } = await stage.ask('GET', `/v1/collections/${collection}/documents?limit=1000`);
  return arrayAt(json, 'data')
    .filter(isJsonObject)
    .map((each) => stringAt(each, 'id') ?? '');
}

const good: RawEntry = { name: 'good.txt', content: 'The gate opens at six.' };

describe('names that lead elsewhere fail alone and write nothing', () => {
  const names: [string, string][] = [
    ['../../../tmp/sekisho-slipped.txt', 'leads out of the archive'],
    ['..\\..\\sekisho-slipped.txt', 'leads out of the archive'],
    ['a/../../sekisho-slipped.txt', 'leads out of the archive'],
    ['/etc/sekisho-slipped.txt', 'leads out of the archive'],
    ['C:\\sekisho-slipped.txt', 'leads out of the archive'],
    ['sekisho-slipped.txt\0.png', 'control characters'],
    ['a\r\nb.txt', 'control characters'],
  ];
  test.each(names)('zip slip: %j', async (name, reason) => {
    const told = await upload({ 'a.zip': rawZip([{ name, content: 'Out.' }, good]) });
    expect(told.indexed).toBe(1);
    expect(Object.values(told.failed).join()).toContain(reason);
    expect(await ids(told.collection)).toEqual(['a.zip/good.txt']);
    expect(readdirSync(tmpdir()).filter((each) => each.includes('slipped'))).toEqual([]);
    expect(existsSync('/etc/sekisho-slipped.txt')).toBe(false);
  });

  test('the name of an upload is no path either', async () => {
    const told = await upload({ '../../../../etc/passwd.txt': 'Read.' });
    expect(await ids(told.collection)).toEqual(['etc/passwd.txt']);
  });

  test('links, encrypted entries, two of one name and false checksums', async () => {
    const told = await upload({
      'a.zip': rawZip([
        { name: 'link.txt', content: '/etc/passwd', mode: 0o120777 },
        { name: 'secret.txt', content: 'x', flags: 1 },
        { name: 'false.txt', content: 'x', crc: 7 },
        good,
        { name: 'good.txt', content: 'Another.' },
      ]),
    });
    expect(told.indexed).toBe(1);
    expect(told.failed['a.zip/link.txt']).toContain('it is a link');
    expect(told.failed['a.zip/secret.txt']).toContain('it is encrypted');
    expect(told.failed['a.zip/false.txt']).toContain('checksum');
    expect(told.failed['a.zip/good.txt']).toContain('same name');
  });
});

describe('bombs', () => {
  const spaces = Buffer.alloc(60 * 1024 * 1024, 0x20);

  test('an entry that unpacks to more than it says, or than a file may have, fails alone', async () => {
    const told = await upload({
      'a.zip': rawZip([
        { name: 'lies.txt', content: spaces, claimedBytes: 10 },
        { name: 'big.txt', content: spaces },
        good,
      ]),
    });
    expect(told.indexed).toBe(1);
    expect(told.failed['a.zip/lies.txt']).toContain('unpacks to more than');
    expect(told.failed['a.zip/big.txt']).toContain('unpacks to more than');
    expect(told.ms).toBeLessThan(10_000);
  });

  test('many bombs side by side cost no more than a few', async () => {
    const told = await upload({
      'a.zip': rawZip([
        good,
        ...Array.from({ length: 40 }, (_, at) => ({ name: `bomb${at}.txt`, content: spaces.subarray(0, 52_500_000) })),
      ]),
    });
    expect(told.indexed).toBe(1);
    expect(Object.values(told.failed)).toHaveLength(40);
    expect(told.failed['a.zip/bomb39.txt']).toContain('200 MiB in all');
    expect(told.ms).toBeLessThan(20_000);
  }, 60_000);

  test('entries that share their bytes are refused before one is unpacked', async () => {
    const shared = Array.from({ length: 1_000 }, (_, at) => ({ name: `${at}.txt`, content: 'x', sharesWith: 0 }));
    const told = await upload({ 'a.zip': rawZip([{ name: 'first.txt', content: spaces }, ...shared]) });
    expect(told.failed['a.zip']).toContain('overlap');
    expect(told.ms).toBeLessThan(3_000);
  });

  test('thousands of entries are refused', async () => {
    const told = await upload({
      'a.zip': rawZip(Array.from({ length: 20_000 }, (_, at) => ({ name: `${at}.txt`, content: 'x' }))),
    });
    expect(told.failed['a.zip']).toContain('too many entries');
    expect(told.ms).toBeLessThan(5_000);
  });

  test('archives in archives are read once and no deeper', async () => {
    const inner = zipOf({ 'deep.txt': 'Too deep.' });
    const middle = zipOf({ 'inner.zip': inner, 'middle.txt': 'In the middle.' });
    const told = await upload({ 'a.zip': zipOf({ 'middle.zip': middle, 'good.txt': 'Good.' }) });
    expect(await ids(told.collection)).toEqual(['a.zip/good.txt', 'a.zip/middle.zip/middle.txt']);
    expect(told.failed['a.zip/middle.zip/inner.zip']).toContain('nested deeper than 2');
  });

  test('an archive that holds itself a thousand times ends', async () => {
    const leaf = zipOf(Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`${at}.txt`, `Text ${at}.`])));
    const told = await upload({
      'a.zip': zipOf(Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`${at}.zip`, leaf]))),
    });
    expect(Object.values(told.failed).join()).toContain('too many entries');
    expect(told.ms).toBeLessThan(20_000);
  }, 60_000);

  test('others are answered while bombs are unpacked', async () => {
    const bombs = upload({
      'a.zip': rawZip(
        Array.from({ length: 5 }, (_, at) => ({ name: `${at}.md`, content: spaces.subarray(0, 30_000_000) })),
      ),
    });
    let done = false;
    void bombs.then(() => (done = true));
    let asked = 0;
    for (; !done && asked < 2_000; asked++) expect((await fetch(`${stage.server.url}/health`)).status).toBe(200);
    expect(asked).toBeGreaterThan(3);
    await bombs;
  });
});

describe('files that are two things', () => {
  const zip = zipOf({ 'good.txt': 'Good.' });
  const cases: [string, string | Uint8Array, string][] = [
    ['a.txt', zip, 'a zip archive'],
    ['a.md', '%PDF-1.4\n1 0 obj', 'it is a PDF'],
    ['a.pdf', zip, 'a zip archive'],
    ['a.docx', zip, 'not a Word document'],
    ['a.xlsx', '<html><table><tr><td>1</table>', 'not a spreadsheet'],
    ['a.csv', '\x7fELF\x02', 'a program'],
    ['a.epub', zip, 'META-INF/container.xml'],
  ];
  test.each(cases)('%s', async (name, content, reason) => {
    const told = await upload({ [name]: content });
    expect([told.indexed, told.failed[name]]).toEqual([0, expect.stringContaining(reason)]);
  });

  test('pictures that carry scripts are no documents', async () => {
    const told = await upload({ 'a.svg': '<svg onload="alert(1)"><script>alert(1)</script></svg>' });
    expect(told.failed['a.svg']).toContain('svg');
  });

  test('HTML is given back as JSON alone, never as a page', async () => {
    const told = await upload({ 'a.html': '<p onclick="alert(1)">Good.</p><script>alert(1)</script>' });
    const address = `${stage.server.url}/v1/collections/${told.collection}/documents/a.html`;
    const response = await fetch(address, { headers: { authorization: `Bearer ${stage.server.adminKey}` } });
    expect(response.headers.get('content-type')).toStartWith('application/json');
    const text = await response.text();
    expect(text).toContain('Good.');
    expect(text).not.toContain('alert');
  });
});

test('a hundred files keep their order, and each that fails says why', async () => {
  const files: Record<string, string> = {};
  for (let at = 0; at < 100; at++)
    files[`${String(at).padStart(3, '0')}.${at % 10 === 9 ? 'pdf' : 'txt'}`] = `Text ${at}.`;
  const told = await upload(files);
  expect(told.indexed).toBe(90);
  expect(Object.keys(told.failed)).toEqual(Object.keys(files).filter((name) => name.endsWith('pdf')));
});
