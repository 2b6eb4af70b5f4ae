import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { boundedCount } from './bounded-count.ts';

function piecesOf(text: string, stopAbove = Number.POSITIVE_INFINITY): string[] {
  const pieces: string[] = [];
  const tokensOf = (piece: string): number => {
    pieces.push(piece);
    return piece.length;
  };
  boundedCount(text, { tokensOf, stopAbove });
  return pieces;
}

const runs = fc
  .array(fc.tuple(fc.constantFrom('a', 'あ', ' ', '!', '\n', '🎌', 'the road ', '12 '), fc.nat(3_000)), {
    maxLength: 8,
  })
  .map((parts) => parts.map(([unit, count]) => unit.repeat(count)).join(''));

test('the pieces are the text, and none holds a run that takes time in the square of its length', () => {
  fc.assert(
    fc.property(runs, (text) => {
      const pieces = piecesOf(text);
      expect(pieces.join('')).toBe(text);
      for (const piece of pieces) {
        expect(piece.length).toBeLessThanOrEqual(8_192);
        expect(/[\p{L}\p{M}]{129}|\s{129}|[^\s\p{L}\p{N}]{129}/u.test(piece)).toBe(false);
        expect(piece.isWellFormed()).toBe(true);
      }
    }),
    { numRuns: 400 },
  );
});

test('prose stays whole up to a slice, and a slice ends before a word', () => {
  const prose = 'the road to the capital is long and dusty '.repeat(100);
  expect(piecesOf(prose)).toEqual([prose]);
  const [first = ''] = piecesOf(prose.repeat(10));
  expect(prose.repeat(10).charAt(first.length)).toBe(' ');
});

test('counting ends with the slice in which the sum goes beyond', () => {
  expect(piecesOf('the road '.repeat(10_000), 10_000)).toHaveLength(2);
});
