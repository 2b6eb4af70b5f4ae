import { afterAll, describe, expect, test } from 'bun:test';
import { drawn, LATIN_FONT, pdfOf, rawZip, wordParts, wordXml, zipOf } from '../../../../test/support/make-files.ts';
import { SekishoError } from '../../../spec/errors.ts';
import { createParseFile } from './parse-file.ts';
import { createParsePool } from './parse-pool.ts';

const pool = createParsePool();
afterAll(() => pool.close());
const parseFile = createParseFile(pool);

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function only(name: string, content: string | Uint8Array) {
  const { documents } = await parseFile({ name, bytes: typeof content === 'string' ? utf8(content) : content });
  const [document, ...more] = documents;
  if (document === undefined || more.length > 0) throw new Error(`${name} holds ${more.length + 1} documents`);
  return document;
}

async function refusal(name: string, content: string | Uint8Array): Promise<SekishoError> {
  const thrown: unknown = await only(name, content).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof SekishoError) return thrown;
  throw new Error(`${name} was not refused`);
}

const docxOf = (document: string): Uint8Array => zipOf(wordParts(document));
const paragraph = (text: string, style = ''): [string, string] => [text, style];
const drawnGate = drawn([72, 720, '(The gate opens at six.)']);

describe('a file is read by its format', () => {
  test('Markdown keeps its source, tells its headings and the title of its front matter', async () => {
    const document = await only('a.md', '---\ntitle: "The gate"\n---\n# Rules\n\nText.\n\n## 通行\n\n本文。\n');
    expect(document.title).toBe('The gate');
    expect(document.headings.map(({ start, text }) => [document.text.slice(start).split('\n')[0], text])).toEqual([
      ['# Rules', 'Rules'],
      ['## 通行', '通行'],
    ]);
  });

  test('HTML gives what a reader reads, with headings where they stand', async () => {
    const document = await only(
      'a.html',
      `<title>Gate</title><nav>Menu</nav><main><h1>Rules</h1><p>One  <b>two</b>.</p><script>no()</script>
      <h2>料金</h2><table><tr><td>Toll</td><td>3</td></tr></table><pre>a\n  b</pre></main><footer>Foot</footer>`,
    );
    expect(document.title).toBe('Gate');
    expect(document.text).toBe('Rules\n\nOne two.\n\n料金\n\nToll | 3\n\na\n  b');
    expect(document.headings.map(({ level, start }) => [level, document.text.slice(start, start + 2)])).toEqual([
      [1, 'Ru'],
      [2, '料金'],
    ]);
  });

  test('deep and broken HTML ends', async () => {
    expect((await only('a.html', `<p>Kept</p>${'<div>'.repeat(20_000)}`)).text).toBe('Kept');
  });

  test('tables have a row per paragraph', async () => {
    expect((await only('a.csv', '\ufeffname,toll\n"Kiso, west",3\n箱根,5\n')).text).toBe(
      'name: Kiso, west\ntoll: 3\n\nname: 箱根\ntoll: 5',
    );
    expect((await only('a.tsv', 'a\tb\n1\t2')).text).toBe('a: 1\nb: 2');
  });

  test('JSON that looks like documents is many, anything else one', async () => {
    const documents = JSON.stringify([
      { id: 7, content: 'One.', title: 'T', metadata: { year: 1603 } },
      { text: '二。' },
    ]);
    expect((await parseFile({ name: 'a.json', bytes: utf8(documents) })).documents).toEqual([
      { id: '7', text: 'One.', title: 'T', metadata: { year: 1603 }, headings: [], path: '' },
      { id: '2', text: '二。', metadata: {}, headings: [], path: '' },
    ]);
    expect((await only('a.json', '{"a":[1]}')).text).toBe('{\n  "a": [\n    1\n  ]\n}');
    const { documents: lines } = await parseFile({ name: 'a.jsonl', bytes: utf8('{"text":"One."}\n\n{"b":2}\n') });
    expect(lines.map(({ id, text }) => [id, text])).toEqual([
      ['1', 'One.'],
      ['3', '{\n  "b": 2\n}'],
    ]);
  });

  test('a PDF gives its text layer and the places of its pages', async () => {
    const document = await only('a.pdf', pdfOf(LATIN_FONT, [drawnGate]));
    expect(document.text).toBe('The gate opens at six.');
    expect([document.pages, document.metadata]).toEqual([[0], { pages: 1 }]);
  });

  test('a Word document gives its meaning', async () => {
    const document = await only('a.docx', docxOf(wordXml(paragraph('Rules', 'Heading1'), paragraph('旅人は止まる。'))));
    expect(document.text).toBe('Rules\n\n旅人は止まる。');
    expect(document.headings).toEqual([{ level: 1, start: 0, text: 'Rules' }]);
  });

  test('a name that tells nothing is judged by the first bytes', async () => {
    expect((await only('download', '<!doctype html><p>Read.')).text).toBe('Read.');
    expect((await only('download', docxOf(wordXml(paragraph('Word.'))))).text).toBe('Word.');
  });

  test('a large file is read in a worker, with the same outcome', async () => {
    const text = '# Heading\n\nA line of text.\n'.repeat(10_000);
    expect((await only('a.md', text)).headings).toHaveLength(10_000);
  });
});

describe('text in other encodings', () => {
  // こんにちは、関所。 in each.
  test.each([
    ['UTF-8 with a mark', 'efbbbfe38193e38293e381abe381a1e381afe38081e996a2e68980e38082'],
    ['UTF-16LE', 'fffe533093306b3061306f300130a29540620230'],
    ['UTF-16BE', 'feff30533093306b3061306f300195a262403002'],
    ['Shift_JIS', '82b182f182c982bf82cd81418ad68f8a8142'],
    ['EUC-JP', 'a4b3a4f3a4cba4c1a4cfa1a2b4d8bdeaa1a3'],
  ])('%s', async (_, hex) => {
    expect((await only('a.txt', Buffer.from(hex, 'hex'))).text).toBe('こんにちは、関所。');
  });

  test('a page is read in the encoding that it declares', async () => {
    const head = Buffer.from('<meta charset="Shift_JIS"><p>');
    const kanji = Buffer.from('93648ecb8f8a', 'hex');
    expect((await only('a.html', Buffer.concat([head, kanji]))).text).toBe('電射所');
    const euc = '<meta http-equiv="Content-Type" content="text/html; charset=EUC-JP"><p>';
    expect((await only('a.html', Buffer.concat([Buffer.from(euc), Buffer.from('b4d8bdea', 'hex')]))).text).toBe('関所');
    const western = Buffer.from('<meta charset=iso-8859-1><p>caf\xe9 ferm\xe9', 'latin1');
    expect((await only('a.html', western)).text).toBe('café fermé');
    expect((await only('a.html', '<meta charset=shift_jis><p>関所は嘘をつく。')).text).toBe('関所は嘘をつく。');
  });

  test('mails of old are read: seven bits with escapes', async () => {
    expect((await only('a.txt', Buffer.from('1b244234583d6a1b2842', 'hex'))).text).toBe('関所');
  });

  test('Western text is not taken for Japanese', async () => {
    expect((await only('a.txt', Buffer.from('Le caf\xe9 du poste est ferm\xe9 le soir.', 'latin1'))).text).toBe(
      'Le café du poste est fermé le soir.',
    );
    // Names alone, without kana, in Shift_JIS.
    expect((await only('a.csv', Buffer.from('6e616d650a93648ecb8f8a', 'hex'))).text).toBe('name: 電射所');
  });

  test('kana alone in EUC-JP are not half-width katakana', async () => {
    expect((await only('a.txt', Buffer.from('a5ada5bda4ce', 'hex'))).text).toBe('キソの');
  });

  test('line ends are line feeds', async () => {
    expect((await only('a.txt', 'one\r\ntwo\rthree')).text).toBe('one\ntwo\nthree');
  });
});

describe('what cannot be read is refused with a reason', () => {
  const bomb = (claimedBytes?: number): Buffer =>
    rawZip([
      {
        name: 'word/document.xml',
        content: Buffer.alloc(60 * 1024 * 1024, 0x20),
        ...(claimedBytes && { claimedBytes }),
      },
    ]);
  const cases: [string, string, () => string | Uint8Array, string][] = [
    ['an unknown extension', 'a.exe', () => 'MZ', 'unsupported_media'],
    ['no extension', 'LICENSE', () => 'text', 'unsupported_media'],
    ['a PDF that is none', 'a.pdf', () => 'not a PDF', 'unreadable_document'],
    ['half a PDF', 'a.pdf', () => pdfOf(LATIN_FONT, [drawnGate]).subarray(0, 60), 'unreadable_document'],
    ['a PDF without text', 'a.pdf', () => pdfOf(LATIN_FONT, ['']), 'unreadable_document'],
    ['a Word file that is none', 'a.docx', () => 'PK\x03\x04', 'unreadable_document'],
    ['a table with an open quote', 'a.csv', () => 'a,b\n"1,2', 'unreadable_document'],
    ['broken JSON', 'a.json', () => '{"a":', 'unreadable_document'],
    ['a broken line of JSON', 'a.jsonl', () => '{"a":1}\n{', 'unreadable_document'],
    ['JSON nested deep', 'a.json', () => '['.repeat(50_000) + ']'.repeat(50_000), 'unreadable_document'],
    ['too many records', 'a.jsonl', () => '{}\n'.repeat(100_002), 'unreadable_document'],
    ['too many rows', 'a.csv', () => `a\n${'1\n'.repeat(100_002)}`, 'unreadable_document'],
    ['bytes that are no text', 'a.txt', () => Uint8Array.from([0xff, 0x00, 0xfe, 0x81]), 'unreadable_document'],
    ['nothing but white space', 'a.txt', () => ' \n ', 'unreadable_document'],
    ['too large a file', 'a.txt', () => new Uint8Array(51 * 1024 * 1024), 'unreadable_document'],
    ['a zip bomb', 'a.docx', () => bomb(), 'unreadable_document'],
    ['a zip bomb that says it is small', 'a.docx', () => bomb(1_000), 'unreadable_document'],
  ];
  test.each(cases)('%s', async (_, name, content, code) => {
    const error = await refusal(name, content());
    expect(error.code).toBe(code as SekishoError['code']);
    expect(error.messageIn('ja')).not.toBe(error.messageIn('en'));
  });

  test('a bomb is refused for being one', async () => {
    expect((await refusal('a.docx', bomb(1_000))).message).toContain('unpacks to more than');
  });

  test('a file that takes too long is given up', async () => {
    const hasty = createParsePool({ timeoutMs: 0 });
    const reading = createParseFile(hasty)({ name: 'a.pdf', bytes: pdfOf(LATIN_FONT, [drawnGate]) });
    expect(await reading.catch((error: unknown) => String(error))).toContain('took longer than 0 ms');
  });
});
