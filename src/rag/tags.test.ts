import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { MAX_TAGS, tagOf, tagsOf } from './tags.ts';

describe('tagsOf', () => {
  test('scalars and arrays of scalars become tags; objects, nulls and repeats do not', () => {
    expect(
      tagsOf({
        lang: 'ja',
        year: 2024,
        draft: false,
        team: ['a', 'b', 'a', null, { x: 1 }],
        nested: { a: 1 },
        no: null,
      }),
    ).toEqual(['draft=false', 'lang=ja', 'team=a', 'team=b', 'year=2024']);
  });

  test('a number and its text are one value', () => {
    expect(tagsOf({ year: '2024' })).toEqual(tagsOf({ year: 2024 }));
  });

  test('decomposed and composed Japanese are one value', () => {
    expect(tagOf('部署', 'カ\u3099イド')).toBe(tagOf('部署', 'ガイド'));
  });

  test('different pairs never share a tag', () => {
    expect(tagOf('a=b', 'c')).not.toBe(tagOf('a', 'b=c'));
    expect(tagOf('a%3Db', 'c')).not.toBe(tagOf('a=b', 'c'));
    const text = fc.string({ unit: fc.constantFrom('a', '=', '%', '3', 'D', '2', '5') });
    fc.assert(
      fc.property(text, text, text, text, (key, value, otherKey, otherValue) => {
        const same = key === otherKey && value === otherValue;
        expect(tagOf(key, value) === tagOf(otherKey, otherValue)).toBe(same);
      }),
    );
  });

  test('too many values are refused', () => {
    expect(() => tagsOf({ many: Array.from({ length: MAX_TAGS + 1 }, (_, i) => i) })).toThrow(/more than/);
  });
});
