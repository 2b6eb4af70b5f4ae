import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { findMarkdownHeadings } from './markdown-headings.ts';

/** Where a full CommonMark parser sees headings that begin a line. */
function parsed(text: string): { level: number; start: number }[] {
  return fromMarkdown(text).children.flatMap((node) =>
    node.type === 'heading' ? [{ level: node.depth, start: node.position?.start.offset ?? -1 }] : [],
  );
}

const places = (text: string) => findMarkdownHeadings(text).map(({ level, start }) => ({ level, start }));

describe('headings of Markdown', () => {
  test('stand where a full parser sees them', () => {
    const block = fc.constantFrom(
      '# Guide',
      '## Keys and limits ##',
      '### `rotate` a *key*',
      '#hashtag, no heading',
      '####### seven',
      'A plain sentence.',
      'Two lines\nof one paragraph',
      'Underlined\n==========',
      'Also underlined\n---',
      '---',
      '- a list\n- of two',
      '- a list\n---',
      '1. first\n2. second',
      '> a quote',
      '> a quote\n---',
      '| a | b |\n|---|---|\n| # x | y |\n',
      '```sh\n# a comment\n\n# another\n```',
      '~~~\n# in tildes\n```\n# still\n~~~',
      '    # indented code\n',
      '<!-- a comment\n\n# hidden\n-->',
      '<!-- short -->',
      '<pre>\n\n# hidden\n</pre>',
      '<div>\n# hidden\n</div>',
      '<a id="here"></a>\n## After an anchor',
      '関所の手引き\n======',
      '# 鍵を作る',
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), fc.constantFrom('\n', '\n\n'), (blocks, between) => {
        const text = blocks.join(between);
        expect(places(text)).toEqual(parsed(text));
      }),
      { numRuns: 300 },
    );
  });

  test('are told by their words', () => {
    const text =
      '# The [checkpoint](https://x.test/a) of `main_file` **now** #\n\n### snake_case _is_ kept\\!\n\n鍵の\n作り方\n---\n';
    expect(findMarkdownHeadings(text).map((heading) => heading.text)).toEqual([
      'The checkpoint of main_file now',
      'snake_case is kept!',
      '鍵の 作り方',
    ]);
  });

  test('lines may end as on Windows', () => {
    const text = '# Gate #\r\n\r\nIt opens.\r\n\r\nUnder\r\n-----\r\n```\r\n# code\r\n```\r\n## Keys\r\n';
    const headings = findMarkdownHeadings(text);
    expect(headings.map((heading) => [heading.level, heading.text])).toEqual([
      [1, 'Gate'],
      [2, 'Under'],
      [2, 'Keys'],
    ]);
    expect(headings.map(({ start }) => text.slice(start, start + 5))).toEqual(['# Gat', 'Under', '## Ke']);
  });

  test('texts made to hurt a parser cost no more than others', () => {
    const hurting = ['# a\n', '- ', '> ', '[', '`', '<a ', '# ' + '#'.repeat(900) + 'x\n', 'a\n', '```\n', '<!--', '_'];
    for (const piece of hurting) {
      const text = piece.repeat(Math.ceil(2_000_000 / piece.length));
      const startedMs = performance.now();
      findMarkdownHeadings(text);
      expect(performance.now() - startedMs).toBeLessThan(3_000);
    }
  });
});
