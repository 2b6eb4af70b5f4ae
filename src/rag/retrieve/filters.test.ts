import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import { SekishoError } from '../../spec/errors.ts';
import { tagsOf } from '../tags.ts';
import { filterTags } from './filters.ts';

describe('filterTags', () => {
  test('a value is one group of one tag, a list one group of several', () => {
    expect(filterTags({})).toEqual([]);
    expect(filterTags({ lang: 'ja', year: [2023, 2024], draft: false })).toEqual([
      ['lang=ja'],
      ['year=2023', 'year=2024'],
      ['draft=false'],
    ]);
    expect(filterTags({ none: [] })).toEqual([[]]);
  });

  test('what metadata says, a filter of the same pair finds', () => {
    const metadata: JsonObject = { 部署: '営業', 'a=b': "it's", n: 1.5, tags: ['x', 'y'] };
    const tags = tagsOf(metadata);
    for (const filter of [{ 部署: '営業' }, { 'a=b': "it's" }, { n: '1.5' }, { tags: ['y'] }]) {
      expect(filterTags(filter).every((group) => group.some((tag) => tags.includes(tag)))).toBe(true);
    }
  });

  test.each<[string, JsonObject, string]>([
    ['an object', { a: { $gt: 1 } }, 'filters.a'],
    ['null', { a: null }, 'filters.a'],
    ['a list in a list', { a: [['x']] }, 'filters.a'],
    ['too many values', { a: Array.from({ length: 101 }, (_, i) => i) }, 'filters.a'],
    ['too long a value', { a: 'x'.repeat(513) }, 'filters.a'],
    ['too long a key', { ['k'.repeat(129)]: 1 }, `filters.${'k'.repeat(128)}`],
    ['too many keys', Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 1])), 'filters'],
  ])('%s is refused by its path', (_, filters, param) => {
    try {
      filterTags(filters);
    } catch (thrown) {
      expect(thrown instanceof SekishoError && [thrown.code, thrown.param]).toEqual(['invalid_request', param]);
      return;
    }
    throw new Error('not refused');
  });
});
