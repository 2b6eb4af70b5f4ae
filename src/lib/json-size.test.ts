import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { jsonExcess } from './json-size.ts';

const limits = { depth: 3, pieces: 20 };

describe('excess', () => {
  test.each([
    ['lists', `[[[[${' '.repeat(9)}]]]]`, 'depth'],
    ['objects', '{"a":{"b":{"c":{}}}}', 'depth'],
    ['within', '{"a":{"b":["c"]}}', undefined],
    ['brackets inside strings', '{"a":"[[[[[[{{{{{{"}', undefined],
    ['behind an escaped quote', '{"a":"\\"[[[[[[", "b":[[[1]]]}', 'depth'],
    ['a string that ends in a backslash', '{"a":"\\\\", "b":[[[1]]]}', 'depth'],
    ['many numbers', `[${'1,'.repeat(21)}1]`, 'pieces'],
    ['many keys', `{${'"a":1,'.repeat(7)}"a":1}`, 'pieces'],
    ['a long string', JSON.stringify('x'.repeat(9_999)), undefined],
    ['no JSON', '{"a', undefined],
  ])('%s', (_, text, excess) => {
    expect(jsonExcess(text, limits)).toBe(excess as never);
  });

  test('agrees with the parse on how deep a value is', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Math.max(0, ...Object.values(value).map((each: unknown) => depthOf(each)))
        : 0;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 8 }), (value, depth) => {
        // White space, so that no text is too short to be judged.
        const text = JSON.stringify(value) + ' '.repeat(20);
        expect(jsonExcess(text, { depth, pieces: 1e9 }) === 'depth').toBe(depthOf(value) > depth);
      }),
    );
  });
});
