import { describe, expect, test } from 'bun:test';
import { deflateRawSync } from 'node:zlib';
import { SekishoError } from '../../../spec/errors.ts';
import { parseFile } from './parse-file.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function only(name: string, content: string | Uint8Array) {
  const [document, ...more] = await parseFile({ name, bytes: typeof content === 'string' ? utf8(content) : content });
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

/** A PDF of one page with one font and one string, written by hand. */
function pdf(font: readonly string[], shown: string): Uint8Array {
  const content = `BT /F1 12 Tf 72 720 Td ${shown} Tj ET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    ...font,
  ];
  let out = '%PDF-1.4\n';
  const offsets = objects.map((object, at) => {
    const offset = out.length;
    out += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  out += `xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer << /Size ${size} /Root 1 0 R >>\nstartxref\n${out.length}\n%%EOF`;
  return Buffer.from(out, 'latin1');
}

/** A zip file whose directory says of each member that it unpacks to `claimed` bytes, or to what it does. */
function zip(members: Record<string, string | Buffer>, claimed?: number): Buffer {
  const bodies: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(members)) {
    const raw = Buffer.from(content);
    const packed = deflateRawSync(raw);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(Bun.hash.crc32(raw), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claimed ?? raw.length, 18);
    common.writeUInt16LE(name.length, 22);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, place, Buffer.from(name)]));
    bodies.push(body);
    offset += body.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, directory, end]);
}

const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';
const RELATIONS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

function docxOf(body: string | Buffer, claimed?: number): Buffer {
  const members = {
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    '_rels/.rels': `<Relationships xmlns="${RELATIONS}"><Relationship Id="r" Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`,
    'word/document.xml': body,
  };
  return zip(members, claimed);
}

const paragraph = (text: string, style = ''): string =>
  `<w:p><w:pPr>${style && `<w:pStyle w:val="${style}"/>`}</w:pPr><w:r><w:t>${text}</w:t></w:r></w:p>`;
const wordXml = (...paragraphs: string[]): string =>
  `<w:document xmlns:w="${WORD}"><w:body>${paragraphs.join('')}</w:body></w:document>`;

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
    expect(document.text).toBe('Rules\nOne two.\n料金\nToll 3\na\n  b');
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
    expect(await parseFile({ name: 'a.json', bytes: utf8(documents) })).toEqual([
      { id: '7', text: 'One.', title: 'T', metadata: { year: 1603 }, headings: [] },
      { id: '2', text: '二。', metadata: {}, headings: [] },
    ]);
    expect((await only('a.json', '{"a":[1]}')).text).toBe('{\n  "a": [\n    1\n  ]\n}');
    const lines = await parseFile({ name: 'a.jsonl', bytes: utf8('{"text":"One."}\n\n{"b":2}\n') });
    expect(lines.map(({ id, text }) => [id, text])).toEqual([
      ['1', 'One.'],
      ['3', '{\n  "b": 2\n}'],
    ]);
  });

  test('a PDF gives its text layer and the places of its pages', async () => {
    const english = pdf(['<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'], '(The gate opens at six.)');
    const document = await only('a.pdf', english);
    expect(document.text).toBe('The gate opens at six.');
    expect(document.metadata).toEqual({ pages: 1, page_starts: { 1: 0 } });
  });

  test('a Word document gives its meaning', async () => {
    const document = await only('a.docx', docxOf(wordXml(paragraph('Rules', 'Heading1'), paragraph('旅人は止まる。'))));
    expect(document.text).toBe('Rules\n旅人は止まる。');
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

  test('kana alone in EUC-JP are not half-width katakana', async () => {
    expect((await only('a.txt', Buffer.from('a5ada5bda4ce', 'hex'))).text).toBe('キソの');
  });

  test('line ends are line feeds', async () => {
    expect((await only('a.txt', 'one\r\ntwo\rthree')).text).toBe('one\ntwo\nthree');
  });
});

describe('what cannot be read is refused with a reason', () => {
  const bomb = (): Buffer => Buffer.alloc(210 * 1024 * 1024, 0x20);
  const cases: [string, string, () => string | Uint8Array, string][] = [
    ['an unknown extension', 'a.exe', () => 'MZ', 'unsupported_media'],
    ['no extension', 'LICENSE', () => 'text', 'unsupported_media'],
    ['a PDF that is none', 'a.pdf', () => 'not a PDF', 'unreadable_document'],
    ['half a PDF', 'a.pdf', () => pdf([], '').slice(0, 60), 'unreadable_document'],
    ['a PDF without text', 'a.pdf', () => pdf([], ''), 'unreadable_document'],
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
    ['a zip bomb', 'a.docx', () => docxOf(bomb()), 'unreadable_document'],
    ['a zip bomb that says it is small', 'a.docx', () => docxOf(bomb(), 1_000), 'unreadable_document'],
  ];
  test.each(cases)('%s', async (_, name, content, code) => {
    const error = await refusal(name, content());
    expect(error.code).toBe(code as SekishoError['code']);
    expect(error.messageIn('ja')).not.toBe(error.messageIn('en'));
  });

  test('a bomb is refused for being one', async () => {
    expect((await refusal('a.docx', docxOf(bomb(), 1_000))).message).toContain('unpacks to more than');
  });

  test('a file that takes too long is given up', async () => {
    const reading = parseFile({ name: 'a.pdf', bytes: pdf([], '') }, { timeoutMs: 0 });
    expect(await reading.catch((error: unknown) => String(error))).toContain('took longer than 0 ms');
  });
});
