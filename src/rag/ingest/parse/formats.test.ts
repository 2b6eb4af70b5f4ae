import { afterAll, describe, expect, test } from 'bun:test';
import { utils, write, type BookType } from '@e965/xlsx';
import {
  bookFiles,
  drawn,
  japaneseFont,
  LATIN_FONT,
  pdfOf,
  shapeXml,
  slideParts,
  zipOf,
} from '../../../../test/support/make-files.ts';
import { createParseFile } from './parse-file.ts';
import { createParsePool } from './parse-pool.ts';
import type { ParsedDocument } from './parsed.ts';

const pool = createParsePool();
afterAll(() => pool.close());
const parseFile = createParseFile(pool);

const all = (name: string, content: string | Uint8Array) => parseFile({ name, bytes: Buffer.from(content) });

async function only(name: string, content: string | Uint8Array): Promise<ParsedDocument> {
  const { documents, failed } = await all(name, content);
  const [document] = documents;
  if (document === undefined || documents.length > 1 || failed.length > 0)
    throw new Error(`${name} is not one document`);
  return document;
}

/** Headings as `level text`, each checked to stand where it says. */
function outline({ text, headings }: ParsedDocument): string[] {
  return headings.map((heading) => {
    expect(text.slice(heading.start)).toStartWith(heading.text.slice(0, 5));
    return `${heading.level} ${heading.text}`;
  });
}

describe('slides', () => {
  test('come in the order in which they are shown, with titles, tables, notes and numbers', async () => {
    const row = (...cells: string[]): string =>
      `<a:tr>${cells.map((cell) => `<a:tc><a:txBody><a:p><a:r><a:t>${cell}</a:t></a:r></a:p></a:txBody></a:tc>`).join('')}</a:tr>`;
    const table = `<p:graphicFrame><a:tbl>${row('Who', 'Toll')}${row('旅人', '3')}</a:tbl></p:graphicFrame>`;
    const parts = slideParts([
      { file: 2, xml: shapeXml(['関所', 'の手引き'], 'ctrTitle') + shapeXml(['7'], 'sldNum') },
      {
        file: 1,
        xml: shapeXml(['Tolls'], 'title') + shapeXml(['Pay &amp; pass.', 'Twice.']) + table,
        notes: shapeXml(['Say it slowly.'], 'body') + shapeXml(['1'], 'sldNum'),
      },
    ]);
    const document = await only('a.pptx', zipOf(parts));
    expect(document.text).toBe('関所 の手引き\n\nTolls\nPay & pass.\nTwice.\nWho | Toll\n旅人 | 3\nSay it slowly.');
    expect(outline(document)).toEqual(['1 関所 の手引き', '1 Tolls']);
    expect(document.pages).toEqual([0, document.text.indexOf('Tolls')]);
    expect([document.title, document.metadata]).toEqual(['関所 の手引き', { slides: 2 }]);
  });
});

describe('sheets', () => {
  test.each<BookType>(['xlsx', 'xls', 'ods'])('%s: a section per sheet, a paragraph per row', async (bookType) => {
    const book = utils.book_new();
    utils.book_append_sheet(book, utils.aoa_to_sheet([['名前', 'Toll'], ['木曽', 3.5], [], ['Hakone', '']]), '料金');
    utils.book_append_sheet(book, utils.aoa_to_sheet([[]]), 'Empty');
    utils.book_append_sheet(book, utils.aoa_to_sheet([['A note alone']]), 'Notes');
    const document = await only(
      `a.${bookType}`,
      new Uint8Array(write(book, { type: 'array', bookType }) as ArrayBuffer),
    );
    expect(document.text).toBe('料金\n名前: 木曽\nToll: 3.5\n\n名前: Hakone\n\nNotes\nA note alone');
    expect(outline(document)).toEqual(['1 料金', '1 Notes']);
  });
});

describe('books', () => {
  test('are read chapter by chapter in reading order', async () => {
    const document = await only(
      'a.epub',
      zipOf(
        bookFiles([
          [
            'two.xhtml',
            '<?xml version="1.0"?><!DOCTYPE html><html><body><h1>Second file</h1><p>一つ目。</p></body></html>',
          ],
          ['a%20b.xhtml', '<p>lost</p>'],
          ['one.xhtml', '<html><body><h1>First file</h1><h2>Part</h2><p>Second.</p></body></html>'],
        ]),
      ),
    );
    expect(document.text).toBe('Second file\n\n一つ目。\n\nFirst file\n\nPart\n\nSecond.');
    expect(outline(document)).toEqual(['1 Second file', '1 First file', '2 Part']);
    expect([document.title, document.metadata]).toEqual(['The Gates', { authors: ['Oishi'], language: 'en' }]);
  });
});

describe('mails', () => {
  const mail = [
    'Subject: =?ISO-2022-JP?B?GyRCNFg9aiRON28bKEI=?=',
    'From: Oishi <oishi@example.jp>',
    'To: a@example.jp, Team: b@example.jp, c@example.jp;',
    'Date: Mon, 06 May 2024 10:00:00 +0900',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="x"',
    '',
    '--x',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<p>The pass is <b>enclosed</b>.</p>',
    '--x',
    'Content-Type: text/plain',
    'Content-Disposition: attachment; filename="../../toll.csv"',
    '',
    'name,toll',
    'Kiso,3',
    '--x',
    'Content-Type: application/pdf',
    'Content-Disposition: attachment; filename="broken.pdf"',
    '',
    'no PDF',
    '--x',
    'Content-Type: application/zip',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="more.zip"',
    '',
    Buffer.from(zipOf({ 'notes/a.md': '# Note\n\nText.' })).toString('base64'),
    '--x--',
  ].join('\r\n');

  test('have their subject as title, who and when as metadata, and attachments of their own', async () => {
    const { documents, failed } = await all('a.eml', mail);
    expect(documents.map(({ path, title, text }) => [path, title, text])).toEqual([
      ['', '関所の件', 'The pass is enclosed.'],
      ['#toll.csv', undefined, 'name: Kiso\ntoll: 3'],
      ['#more.zip/notes/a.md', 'Note', '# Note\n\nText.'],
    ]);
    expect(documents[0]?.metadata).toEqual({
      from: 'Oishi <oishi@example.jp>',
      to: ['a@example.jp', 'b@example.jp', 'c@example.jp'],
      date: '2024-05-06T01:00:00.000Z',
    });
    expect(failed).toEqual([{ path: '#broken.pdf', problem: 'it is damaged or not a PDF' }]);
  });

  test('what has no headers is none', async () => {
    expect(await all('a.eml', 'Hello.\r\nNo headers.').catch(String)).toContain('it has no headers');
  });
});

describe('archives', () => {
  test('give what they hold, each by its path; what systems add is passed over', async () => {
    const { documents, failed } = await all(
      'a.zip',
      zipOf({
        'b/手引き.md': '# Gate\n\nOpens.',
        'a.jsonl': '{"text":"One."}\n{"text":"Two."}',
        '__MACOSX/b/._x.md': 'junk',
        'b/.hidden.txt': 'junk',
        'broken.docx': 'PK',
        'photo.png': 'x',
      }),
    );
    expect(documents.map(({ path, text }) => [path, text])).toEqual([
      ['/b/手引き.md', '# Gate\n\nOpens.'],
      ['/a.jsonl', 'One.'],
      ['/a.jsonl', 'Two.'],
    ]);
    expect(failed).toEqual([
      { path: '/broken.docx', problem: 'it is damaged or not a docx file' },
      { path: '/photo.png', problem: 'its format cannot be read' },
    ]);
  });
});

describe('source code', () => {
  const cases: [string, string, string[]][] = [
    [
      'a.ts',
      'import x from "y";\nexport class Gate {\n  open(at: number): void {\n    if (at) {\n    }\n  }\n}\nexport const toll = (n: number) => n;\nfunction pay() {}\n',
      ['1 class Gate', '2 open', '1 toll', '1 function pay'],
    ],
    [
      'a.py',
      'class Gate:\n    def open(self):\n        pass\n\nasync def 関所():\n    pass\n',
      ['1 class Gate', '2 def open', '1 def 関所'],
    ],
    [
      'a.go',
      'package a\n\ntype Gate struct {\n}\n\nfunc (g *Gate) Open() {\n}\n',
      ['1 type Gate', '1 func (g *Gate) Open'],
    ],
    [
      'a.rs',
      'pub struct Gate;\nimpl Gate {\n    pub fn open(&self) {\n    }\n}\n',
      ['1 struct Gate', '1 impl Gate', '2 fn open'],
    ],
    [
      'A.java',
      'public final class Gate {\n    public int toll(String who) {\n        return pay(who);\n    }\n}\n',
      ['1 class Gate', '2 toll'],
    ],
    ['a.c', 'static int toll(int who)\n{\n    return pay(who);\n}\nstruct gate {\n};\n', ['1 toll', '1 struct gate']],
    ['a.sql', 'CREATE TABLE gates (\n id INT\n);\n', ['1 CREATE TABLE gates']],
    ['a.yaml', 'gate:\n  open: 6\ntoll: 3\n', ['1 gate', '1 toll']],
  ];
  test.each(cases)('%s tells its parts', async (name, source, parts) => {
    const document = await only(name, source);
    expect(document.text).toBe(source);
    expect(document.headings.map(({ level, text }) => `${level} ${text}`)).toEqual(parts);
    expect(typeof document.metadata['language']).toBe('string');
  });
});

describe('PDFs', () => {
  // 関所は六時に開く。 in each.
  test.each([
    ['90ms-RKSJ-H', '8ad68f8a82cd985a8e9e82c98a4a82ad8142'],
    ['UniJIS-UCS2-H', '95a26240306f516d6642306b958b304f3002'],
    ['EUC-H', 'b4d8bdeaa4cfcfbbbbfea4cbb3aba4afa1a3'],
    ['UniJIS-UTF16-H', '95a26240306f516d6642306b958b304f3002'],
  ])('in the encoding %s, with no font inside, are read by its table', async (encoding, hex) => {
    expect((await only('a.pdf', pdfOf(japaneseFont(encoding), [drawn([72, 700, `<${hex}>`])]))).text).toBe(
      '関所は六時に開く。',
    );
  });

  test('keep their pages, lose what stands on every page, and join what was broken into lines', async () => {
    const page = (number: number, ...lines: string[]): string =>
      drawn(
        [72, 760, `(Handbook of gates, page ${number})`],
        ...lines.map((line, at) => [72, 700 - at * 14, `(${line})`] as const),
        [300, 30, `(${number})`],
      );
    const document = await only(
      'a.pdf',
      pdfOf(LATIN_FONT, [
        page(
          1,
          'The gate of the western road is opened at six in the morn-',
          'ing and is closed at ten at night by the guard of the',
          'day.',
          '- a list',
          '- of two',
        ),
        page(2, 'Second page.', 'Of two short lines.'),
        page(3, 'Third page here.', 'Its end.'),
      ]),
    );
    expect(document.text).toBe(
      'The gate of the western road is opened at six in the morning and is closed at ten at night by the guard of the day.\n- a list\n- of two\n\nSecond page.\nOf two short lines.\n\nThird page here.\nIts end.',
    );
    expect(document.pages?.map((start) => document.text.slice(start, start + 6))).toEqual([
      'The ga',
      'Second',
      'Third ',
    ]);
  });

  test('larger letters are headings', async () => {
    const document = await only(
      'a.pdf',
      pdfOf(LATIN_FONT, [
        drawn(
          [72, 740, '(Rules of the gate)', 24],
          [72, 700, '(Stop here and tell your name to the guard.)'],
          [72, 660, '(Tolls)', 18],
          [72, 640, '(Three mon for every traveller.)'],
        ),
      ]),
    );
    expect(outline(document)).toEqual(['1 Rules of the gate', '2 Tolls']);
  });
});

describe('pages of the web', () => {
  test('give their content: no menus, no footers, no lists of links; tables, code and words of links stay', async () => {
    const menu = `<ul>${['Home', 'News', 'About', 'Help', 'Shop'].map((name) => `<li><a href="/${name}">${name}</a></li>`).join('')}</ul>`;
    const document = await only(
      'a.html',
      `<title>Gate</title><body><div class="navbar">Skip this</div>${menu}<div id="content"><h1>Tolls<a class="headerlink" href="#t">¶</a></h1>
       <p>See the <a href="/list">list of tolls</a> before you walk the long road to the west.</p>
       <table><tr><th>Who</th><th>Toll</th></tr><tr><td><p>Traveller</p></td><td>3</td></tr></table>
       <pre><code><span>if</span> (x) {
  y();
}</code></pre><div aria-hidden="true">hidden</div></div><div role="contentinfo">Imprint</div></body>`,
    );
    expect(document.text).toBe(
      'Tolls\n\nSee the list of tolls before you walk the long road to the west.\n\nWho | Toll\n\nTraveller | 3\n\nif (x) {\n  y();\n}',
    );
    expect(outline(document)).toEqual(['1 Tolls']);
  });

  const sections = (anchor: (at: number) => string) =>
    Array.from(
      { length: 6 },
      (_, at) => `<div class="section">${anchor(at)}<h2>Part ${at}</h2><p>The toll of gate ${at} is ${at}.</p></div>`,
    ).join('');
  test('places that links lead to are no links: what stands in them is text', async () => {
    const { text } = await only(
      'a.html',
      `<body><p>${'All of the tolls. '.repeat(30)}</p><div>${sections((at) => `<a name="part-${at}">`)}</div>`,
    );
    for (const at of [0, 3, 5]) expect(text).toContain(`The toll of gate ${at} is ${at}.`);
  });

  test('in XHTML what is empty swallows nothing', async () => {
    const { text, title } = await only(
      'a.html',
      `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Tolls</title><script src="x.js"/></head>
       <body><img src="a.png" /><hr/><textarea/><form id="f"/>${sections((at) => `<a id="part-${at}"/>`)}</body></html>`,
    );
    expect(title).toBe('Tolls');
    for (const at of [0, 3, 5]) expect(text).toContain(`The toll of gate ${at} is ${at}.`);
  });

  test('that are nothing but links are read as they are', async () => {
    const links = Array.from({ length: 20 }, (_, at) => `<li><a href="/${at}">Chapter ${at}</a></li>`).join('');
    expect((await only('a.html', `<body><h1>Index</h1><ul>${links}</ul>`)).text).toContain('Chapter 19');
  });

  test('a table that lays out a page is no row', async () => {
    const document = await only(
      'a.html',
      '<table><tr><td><h2>Left</h2><p>One.</p></td><td><p>Two.</p></td></tr></table>',
    );
    expect(document.text).toBe('Left\n\nOne.\n\nTwo.');
  });
});
