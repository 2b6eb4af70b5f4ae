import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { rangePattern } from './range-pattern.ts';

/** The order of code points: that of UTF-8 bytes. */
const before = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;

/** The pattern with this runtime's engine, which writes code points as `\u{..}`. */
const matches = (pattern: string | undefined, text: string): boolean =>
  pattern !== undefined && new RegExp(`^(?:${pattern.replaceAll('\\x{', '\\u{')})$`, 'u').test(text);

test('a pattern takes the texts within the bounds and no others', () => {
  const letters = fc.constantFrom(
    'a',
    'b',
    'c',
    '0',
    '\u0000',
    '\u0002',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '😀',
    '\u{10ffff}',
    '.',
    '\n',
  );
  const text = fc.string({ unit: letters, maxLength: 4 });
  const bound = fc.option(text, { nil: undefined });
  fc.assert(
    fc.property(bound, bound, bound, bound, fc.array(text, { maxLength: 8 }), (gt, gte, lt, lte, texts) => {
      const bounds = {
        ...(gt !== undefined && { gt }),
        ...(gte !== undefined && { gte }),
        ...(lt !== undefined && { lt }),
        ...(lte !== undefined && { lte }),
      };
      const pattern = rangePattern(bounds);
      for (const each of [...texts, ...Object.values(bounds)]) {
        const within =
          (gt === undefined || before(gt, each)) &&
          (gte === undefined || !before(each, gte)) &&
          (lt === undefined || before(each, lt)) &&
          (lte === undefined || !before(lte, each));
        expect(matches(pattern, each), JSON.stringify([bounds, each, pattern])).toBe(within);
      }
    }),
    { numRuns: 3_000 },
  );
});
