import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { spliceJson } from './json-splice.ts';

describe('spliceJson', () => {
  test('replaces a value and nothing else', () => {
    const text = ' { "a" : [1.50, {"model":"x"}] ,"model" :  "fast" , "b":"\\"model\\":\\"fast\\"" }\n';
    expect(spliceJson(text, { model: '"m"' })).toBe(text.replace('"fast" ,', '"m" ,'));
  });

  test('puts a missing key first', () => {
    expect(spliceJson('{"a":1}', { model: '"m"', n: '{}' })).toBe('{"model":"m","n":{},"a":1}');
    expect(spliceJson(' { } ', { model: '"m"' })).toBe(' {"model":"m" } ');
  });

  test('replaces every duplicate, also one that is written with escapes', () => {
    expect(spliceJson('{"model":1,"x":{"model":2},"mod\\u0065l":[3]}', { model: '9' })).toBe(
      '{"model":9,"x":{"model":2},"mod\\u0065l":9}',
    );
  });

  test('jumps over strings that end in backslashes', () => {
    expect(spliceJson('{"a":"\\\\","b":"\\\\\\"","model":1}', { model: '2' })).toBe(
      '{"a":"\\\\","b":"\\\\\\"","model":2}',
    );
  });

  test('what is not an object is a SyntaxError', () => {
    for (const text of ['', '[]', '{"a"', '{"a":', '{"a":[', '{"a":"', '{"a":1', '{a:1}']) {
      expect(() => spliceJson(text, { a: '1' })).toThrow(SyntaxError);
    }
  });

  test('equals setting the keys of the parsed object', () => {
    const key = fc.oneof(
      fc.constantFrom('model', 'stream_options', '__proto__', '"', '\\'),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, fc.json({ maxDepth: 3 })), { maxLength: 6 }),
        fc.constantFrom('', ' ', '\n\t'),
        fc.json({ maxDepth: 2 }),
        (members, blank, value) => {
          const text = `${blank}{${blank}${members
            .map(([name, json]) => `${JSON.stringify(name)}${blank}:${blank}${json}${blank}`)
            .join(`,${blank}`)}}${blank}`;
          const spliced: unknown = JSON.parse(spliceJson(text, { model: value }));
          const expected: unknown = JSON.parse(text, (_, each: unknown) => each);
          Object.assign(expected as object, { model: JSON.parse(value) as unknown });
          expect(spliced).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });
});
