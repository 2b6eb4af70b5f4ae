import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTextAnalyser } from './text-analyser.ts';

const analyser = createTextAnalyser();
const texts = (input: string): string[] => analyser.sentences(input).map((sentence) => sentence.text);

const MIXED = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '。',
        '」',
        '「',
        '. ',
        '! ',
        '? ',
        '\n',
        '\n\n',
        '# ',
        '- ',
        '| a |',
        '```',
        'Mr. ',
        '3.14',
        'ー',
        '\ud800',
        '\udc00',
        '\u200b',
        '\u3000',
        '\u00a0',
        '日本',
        'です',
        'ﾃﾞｰﾀ',
        'max_tokens',
        "it's",
        '[1]',
        'https://a.b/c?d=1.',
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

describe('terms', () => {
  test('an English word is its stem, a function word is nothing', () => {
    expect(analyser.terms('The relational databases were running quickly')).toEqual([
      'relat',
      'databas',
      'run',
      'quick',
    ]);
  });

  test('an identifier is found whole and by its parts', () => {
    expect(analyser.terms('max_tokens')).toEqual(['max', 'token', 'max_tokens']);
    expect(analyser.terms('`x-sekisho-route`')).toEqual(['x', 'sekisho', 'rout', 'x-sekisho-route']);
    expect(analyser.terms('(call-model.ts)')).toEqual(['call', 'model', 'ts', 'call-model.ts']);
    expect(analyser.terms('streamChat')).toEqual(['stream', 'chat', 'streamchat']);
  });

  test('numbers stay, with and without thousands separators', () => {
    expect(analyser.terms('1,000 and 1000 and 3.14')).toEqual(['1000', '1000', '3', '14', '3.14']);
    expect(analyser.terms('1928年')).toContain('1928年');
  });

  test('accents do not separate', () => {
    expect(analyser.terms('Résumé')).toEqual(analyser.terms('resume'));
  });

  test('half-width, full-width and final long vowels meet', () => {
    expect(analyser.terms('ﾃﾞｰﾀﾍﾞｰｽ')).toEqual(analyser.terms('データベース'));
    expect(analyser.terms('ＧＰＵ')).toEqual(['gpu']);
    expect(analyser.terms('サーバーを')).toContain('サーバ');
    expect(analyser.terms('サーバを')).toContain('サーバ');
  });

  test('Japanese gives words, character pairs and single Han characters, but no pairs of hiragana', () => {
    const terms = analyser.terms('東京都の人口です');
    expect(terms).toEqual(expect.arrayContaining(['東京', '人口', '京都', '都', '口']));
    expect(terms).not.toContain('です');
    expect(terms).not.toContain('の');
    expect(analyser.terms('そうですから')).not.toContain('です');
  });

  test('characters beyond the basic plane stay whole', () => {
    expect(analyser.terms('𠮷野家')).toContain('𠮷野');
  });

  test('invisible characters do not cut a word', () => {
    expect(analyser.terms('data\u200bbase')).toEqual(['databas']);
  });

  test('no term ever holds white space, is empty, or is longer than 64 code units', () => {
    fc.assert(
      fc.property(MIXED, (text) => {
        for (const term of analyser.terms(text)) {
          expect(term).not.toMatch(/\s/u);
          expect(term.length).toBeGreaterThan(0);
          expect(term.length).toBeLessThanOrEqual(64);
          expect(term.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('the terms of a text do not depend on what was analysed before', () => {
    fc.assert(
      fc.property(MIXED, (text) => {
        expect(createTextAnalyser().terms(text)).toEqual(analyser.terms(text));
      }),
      { numRuns: 60 },
    );
  });
});

describe('sentences', () => {
  test('spans are exact slices in order, trimmed, not overlapping, and at most 2,000 code units', () => {
    fc.assert(
      fc.property(MIXED, (text) => {
        let before = 0;
        for (const { start, end, text: slice } of analyser.sentences(text)) {
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeGreaterThan(start);
          expect(end - start).toBeLessThanOrEqual(2_000);
          expect(text.slice(start, end)).toBe(slice);
          before = end;
        }
      }),
      { numRuns: 500 },
    );
  });

  test('every letter and digit lies in a sentence', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('語', 'a', 'B', 'です', '。', '. ', '\n', '「', '」', '? ', '- ', '# '), {
          maxLength: 60,
        }),
        (parts) => {
          const text = parts.join('');
          const kept = texts(text)
            .join('')
            .replace(/[^\p{L}]/gu, '');
          expect(kept).toBe(text.replace(/[^\p{L}]/gu, ''));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('English: abbreviations, initials, decimals and addresses do not end a sentence', () => {
    expect(texts('Dr. J. R. Smith paid $3.50 on Jan. 5, e.g. at https://a.b/c.d?x=1. Then he left! Did he?')).toEqual([
      'Dr. J. R. Smith paid $3.50 on Jan. 5, e.g. at https://a.b/c.d?x=1.',
      'Then he left!',
      'Did he?',
    ]);
    expect(texts('He said "Stop." Then he ran.')).toEqual(['He said "Stop."', 'Then he ran.']);
  });

  test('a mark that looks the same at both ends belongs to the sentence that it opens', () => {
    expect(texts('鍵は要りません。`npm ci`の後は、網も要りません。')).toEqual([
      '鍵は要りません。',
      '`npm ci`の後は、網も要りません。',
    ]);
    expect(texts('**鍵は要りません。**網も要りません。')).toEqual(['**鍵は要りません。**', '網も要りません。']);
    expect(texts('He said "no." Then he left.')).toEqual(['He said "no."', 'Then he left.']);
  });

  test('Japanese: a closing bracket belongs to its sentence, a quotation that is carried on does not end it', () => {
    expect(texts('「行くぞ。」と彼は言った。次です！？（例です。）最後。')).toEqual([
      '「行くぞ。」と彼は言った。',
      '次です！？',
      '（例です。）',
      '最後。',
    ]);
  });

  test('a citation marker stays with the sentence before it', () => {
    expect(texts('It is so.[1][2] Next one. これです。[3]次です。')).toEqual([
      'It is so.[1][2]',
      'Next one.',
      'これです。[3]',
      '次です。',
    ]);
  });

  test('Markdown: headings, items, table rows and code lines stand alone, wrapped lines run on', () => {
    const text =
      '# Title\n\nA paragraph that is wrapped over two lines because it is\nlong. Next.\n- one\n- two\n1. three\n| a | b |\n```ts\nfoo();\n```';
    expect(texts(text)).toEqual([
      'Title',
      'A paragraph that is wrapped over two lines because it is\nlong.',
      'Next.',
      'one',
      'two',
      'three',
      '| a | b |',
      '```ts',
      'foo();',
      '```',
    ]);
  });
});

describe('language', () => {
  test.each([
    ['How do I set max_tokens?', 'en'],
    ['max_tokens の既定値は?', 'ja'],
    ['x-sekisho-route とは', 'ja'],
    ['What does ありがとう mean?', 'en'],
    ['東京都人口', 'ja'],
    ['ﾃﾞｰﾀ', 'ja'],
    ['Какой сегодня день', 'other'],
    ['', 'other'],
    ['12345', 'other'],
  ] as const)('%p is %p', (text, language) => {
    expect(analyser.language(text)).toBe(language);
  });
});

describe('bounds', () => {
  const million = 1_000_000;
  test.each([
    ['a word without end', 'a'.repeat(million)],
    ['hiragana without end', 'あ'.repeat(million)],
    ['Han without end', '東京'.repeat(million / 2)],
    ['open brackets', '「'.repeat(million)],
    ['dots', '.'.repeat(million)],
    ['lone surrogates', '\ud800'.repeat(million)],
    ['combining marks', '\u0301'.repeat(million)],
    ['zero-width characters', '\u200b'.repeat(million)],
    ['an identifier without end', 'a_'.repeat(million / 2)],
    ['list markers', '- '.repeat(million / 2)],
    ['lines', 'a\n'.repeat(million / 2)],
    ['characters that grow under NFKC', '\ufdfa'.repeat(million / 4)],
  ])(
    '%s: one million code units are done in linear time',
    (_name, text) => {
      analyser.sentences(text);
      analyser.terms(text);
      analyser.language(text);
    },
    5_000,
  );
});
