import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createLinkGuard } from './link-guard.ts';

function guarded(text: string, pieces: readonly number[] = [], allowed = ''): string {
  const guard = createLinkGuard({ isAllowed: (address) => address === allowed });
  let out = '';
  let from = 0;
  for (const to of [...pieces].sort((a, b) => a - b)) {
    out += guard.push(text.slice(from, to));
    from = to;
  }
  return out + guard.push(text.slice(from)) + guard.end();
}

const CASES: readonly (readonly [what: string, text: string, out: string])[] = [
  ['an image', 'See ![chart](https://evil.example/x.png?q=secret) here.', 'See chart here.'],
  [
    'an image by reference',
    'See ![chart][c].\n\n[c]: https://evil.example/x.png',
    'See chart.\n\n[c] : `https://evil.example/x.png`',
  ],
  ['a link', 'Read [the page](https://evil.example/?q=1) now.', 'Read [the page] (`https://evil.example/?q=1`) now.'],
  ['a bare address', 'Go to https://evil.example/a.', 'Go to `https://evil.example/a`.'],
  ['an address in brackets', 'Go to <https://evil.example>', 'Go to ‹`https://evil.example`>'],
  ['www', 'Go to www.evil.example now', 'Go to `www.evil.example` now'],
  ['HTML', 'x <img src="https://evil.example/p"> y', 'x ‹img src="`https://evil.example/p`"> y'],
  ['HTML at the beginning of a line', '<x>\n```\n<b>', '‹x>\n```\n<b>'],
  ['a script link', '[x](javascript:alert(1))', '[x] (javascript:alert(1))'],
  ['Japanese around', '詳しくは https://evil.example/日本 。', '詳しくは `https://evil.example/日本` 。'],
  ['an escape', '\\![x](https://e.example)', '\\![x] (`https://e.example`)'],
  ['a run of backticks without partner', 'a ` b\nc ` ![x](https://e.example) ` d', 'a ` b\nc ` x ` d'],
  ['an address after such a run', 'a ` b\nhttps://e.example', 'a ` b\nhttps:// e.example'],
];
const LEFT: readonly string[] = [
  'Numbers [1][2] and [3] stay. So does rag/<collection>.',
  'Run `curl http://127.0.0.1:8910/v1/query` in a shell.',
  '```sh\ncurl http://127.0.0.1:8910 -d "![x](y)"\n```\nDone!',
  'a < b and b > c! Really? 5 < 6',
  '日本語の文[1]。次の文。',
];

describe('what holds an address is made inert', () => {
  test.each(CASES)('%s', (_, text, out) => expect(guarded(text)).toBe(out));
  test.each(LEFT)('left as it is: %s', (text) => expect(guarded(text)).toBe(text));

  test('what the caller wrote stays a link', () => {
    const text = 'Read [it](https://ours.example/a) or https://ours.example/a.';
    expect(guarded(text, [], 'https://ours.example/a')).toBe(text);
  });

  test('however it is cut, the outcome is the same', () => {
    const texts = [...CASES.map(([, text]) => text), ...LEFT];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(fc.nat(80), { maxLength: 8 }), (text, cuts) => {
        expect(guarded(text, cuts)).toBe(guarded(text));
      }),
      { numRuns: 500 },
    );
  });

  test('whatever comes in, no image and no link goes out', () => {
    const piece = fc.constantFrom(
      '![',
      '[',
      ']',
      '(',
      ')',
      '](',
      'https://e.example',
      '`',
      '```',
      '\n',
      '\n\n',
      ' ',
      'a',
      '<img ',
      '<',
      '>',
      '!',
      '\\',
      ':',
      '~~~',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join('')),
        (text) => {
          const outside = guarded(text)
            .replaceAll(/^(`{3,}|~{3,})[^`\n]*(?:\n[\s\S]*?(?:^ {0,3}\1[`~]*\s*$|$(?![\s\S]))|$)/gm, '')
            .replaceAll(/(`+)[^`\n]*\1/g, '');
          expect(outside).not.toMatch(/!\[[^\]\n]*\]\(https/);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('offsets are told where they stand afterwards', () => {
    const guard = createLinkGuard({ isAllowed: () => false });
    const text = 'See ![chart](https://e.example) and this.';
    const out = guard.push(text) + guard.end();
    const at = text.indexOf('this');
    expect(out.slice(guard.moved(at), guard.moved(at + 4))).toBe('this');
  });
});
