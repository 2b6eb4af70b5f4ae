import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { MetadataFilter } from '../../spec/filter.ts';
import { parseFilter } from './parse-filter.ts';

describe('parseFilter', () => {
  test.each<[JsonObject, MetadataFilter]>([
    [{}, { kind: 'and', filters: [] }],
    [{ lang: 'ja' }, { kind: 'in', field: 'lang', values: ['ja'] }],
    [{ year: [2023, '2024'] }, { kind: 'in', field: 'year', values: [2023, '2024'] }],
    [{ none: [] }, { kind: 'in', field: 'none', values: [] }],
    [{ draft: { $ne: false } }, { kind: 'not', filter: { kind: 'in', field: 'draft', values: [false] } }],
    [{ a: { $in: ['x'] } }, { kind: 'in', field: 'a', values: ['x'] }],
    [{ a: { $nin: ['x'] } }, { kind: 'not', filter: { kind: 'in', field: 'a', values: ['x'] } }],
    [{ year: { $gte: 2020, $lt: 2024 } }, { kind: 'range', field: 'year', gte: 2020, lt: 2024 }],
    [{ date: { $gt: '2024-01' } }, { kind: 'range', field: 'date', gt: '2024-01' }],
    [{ a: { $exists: true } }, { kind: 'exists', field: 'a' }],
    [{ a: { $exists: false } }, { kind: 'not', filter: { kind: 'exists', field: 'a' } }],
    [{ path: { $prefix: '/docs/' } }, { kind: 'prefix', field: 'path', text: '/docs/' }],
    [
      { path: { $not: { $prefix: '/docs/' } } },
      { kind: 'not', filter: { kind: 'prefix', field: 'path', text: '/docs/' } },
    ],
    [{ $$price: 3 }, { kind: 'in', field: '$price', values: [3] }],
    [{ $not: { a: 1 } }, { kind: 'not', filter: { kind: 'in', field: 'a', values: [1] } }],
    [
      { $or: [{ a: 1, b: 2 }, { c: { $eq: 'x', $exists: true } }] },
      {
        kind: 'or',
        filters: [
          {
            kind: 'and',
            filters: [
              { kind: 'in', field: 'a', values: [1] },
              { kind: 'in', field: 'b', values: [2] },
            ],
          },
          {
            kind: 'and',
            filters: [
              { kind: 'in', field: 'c', values: ['x'] },
              { kind: 'exists', field: 'c' },
            ],
          },
        ],
      },
    ],
  ])('%j', (json, filter) => {
    expect(parseFilter(json)).toEqual(filter);
  });

  const nested = (levels: number): JsonObject => (levels === 0 ? { a: 1 } : { $not: nested(levels - 1) });
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  test.each<[string, JsonObject, string]>([
    ['an unknown operator', { a: { $regex: '.*' } }, 'filters.a.$regex'],
    ['an operator of another case', { a: { $GTE: 1 } }, 'filters.a.$GTE'],
    ['a known operator beside an unknown one', { a: { $gte: 1, $where: '1' } }, 'filters.a.$where'],
    ['a plain key among operators', { a: { $gte: 1, b: 2 } }, 'filters.a.b'],
    ['an unknown operator above fields', { $nor: [{ a: 1 }] }, 'filters.$nor'],
    ['an unknown operator deep inside', { $or: [{ a: 1 }, { $and: [{ b: { $x: 1 } }] }] }, 'filters.$or.1.$and.0.b.$x'],
    ['an empty object', { a: {} }, 'filters.a'],
    ['null', { a: null }, 'filters.a'],
    ['null among values', { a: ['x', null] }, 'filters.a'],
    ['null as a bound', { a: { $gte: null } }, 'filters.a.$gte'],
    ['a list in a list', { a: [['x']] }, 'filters.a'],
    ['a list for $eq', { a: { $eq: ['x'] } }, 'filters.a.$eq'],
    ['no list for $in', { a: { $in: 'x' } }, 'filters.a.$in'],
    ['$exists of a text', { a: { $exists: 'false' } }, 'filters.a.$exists'],
    ['an empty prefix', { a: { $prefix: '' } }, 'filters.a.$prefix'],
    ['a number as a prefix', { a: { $prefix: 2 } }, 'filters.a.$prefix'],
    ['bounds of two kinds', { a: { $gte: 1, $lt: '2' } }, 'filters.a'],
    ['a boolean as a bound', { a: { $gt: true } }, 'filters.a.$gt'],
    ['an empty $or', { $or: [] }, 'filters.$or'],
    ['an empty $and', { $and: [] }, 'filters.$and'],
    ['no list for $or', { $or: { a: 1 } }, 'filters.$or'],
    ['a filter that is no object', { $and: ['a'] }, 'filters.$and.0'],
    ['$not of a list', { $not: [{ a: 1 }] }, 'filters.$not'],
    ['$not of a value', { a: { $not: 'x' } }, 'filters.a.$not'],
    ['too many values', { a: numbers(101) }, 'filters.a'],
    ['too many values in all', Object.fromEntries(numbers(11).map((i) => [`k${i}`, numbers(100)])), 'filters.k10'],
    ['too long a value', { a: 'x'.repeat(513) }, 'filters.a'],
    ['too long a bound', { a: { $lt: 'x'.repeat(65) } }, 'filters.a.$lt'],
    ['too long a name', { ['k'.repeat(129)]: 1 }, `filters.${'k'.repeat(128)}`],
    ['too many conditions', Object.fromEntries(numbers(101).map((i) => [`k${i}`, 1])), 'filters.k100'],
    ['too many filters', { $or: numbers(101).map(() => ({})) }, 'filters.$or'],
  ])('%s is refused by its path', (_, filters, param) => {
    expect(refusal(filters)).toEqual(['invalid_request', param]);
  });

  test('eight levels are read, nine are refused', () => {
    expect(parseFilter(nested(7)).kind).toBe('not');
    expect(refusal(nested(8))?.[0]).toBe('invalid_request');
    const deep: JsonObject = { a: numbers(9).reduce<JsonObject>((inner) => ({ $not: inner }), { $eq: 1 }) };
    expect(refusal(deep)?.[0]).toBe('invalid_request');
  });
});

function refusal(filters: JsonObject): [string, string | undefined] | undefined {
  try {
    parseFilter(filters);
  } catch (thrown) {
    if (thrown instanceof SekishoError) return [thrown.code, thrown.param];
    throw thrown;
  }
  return undefined;
}
