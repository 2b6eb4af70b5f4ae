import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { canonicalJson, countKeys } from './canonical-json.ts';
import { matchesGlob } from './glob.ts';

const anObject = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 8 });

describe('canonical JSON', () => {
  test('the same for the same members in another order, and for nothing else', () => {
    fc.assert(
      fc.property(anObject, anObject, (a, b) => {
        const turned = Object.fromEntries(Object.entries(a).reverse());
        expect(canonicalJson(turned).text).toBe(canonicalJson(a).text);
        expect(JSON.parse(canonicalJson(a).text)).toEqual(JSON.parse(JSON.stringify(a)));
        expect(canonicalJson(a).text === canonicalJson(b).text).toBe(Bun.deepEquals(a, b));
      }),
    );
  });

  test('as many keys in the text as members in the parse, whatever is in them', () => {
    fc.assert(
      fc.property(anObject, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const parsed = JSON.parse(text) as object;
        expect(countKeys(text)).toBe(canonicalJson(parsed).members);
        expect(countKeys(text)).toBe(canonicalJson(parsed, new Set(Object.keys(parsed))).members);
      }),
    );
    expect(countKeys('{"a":1,"a":2}')).toBe(2);
    expect(countKeys('{"a":[{"b" \n:"\\":"},{"b":": {}"}]}')).toBe(3);
    expect(countKeys('"a')).toBe(0);
  });

  test('what it cannot be exact about it says', () => {
    expect(canonicalJson({ a: [1, -1.5, 2 ** 53 - 1] }).exact).toBe(true);
    expect(canonicalJson({ a: { b: 2 ** 53 } }).exact).toBe(false);
    expect(canonicalJson(JSON.parse('{"a":1e400}') as object).exact).toBe(false);
    let deep: object = {};
    for (let depth = 0; depth < 100_000; depth++) deep = { deep };
    expect(canonicalJson(deep).exact).toBe(false);
    expect(canonicalJson(deep, new Set(['deep'])).exact).toBe(false);
    expect(canonicalJson({ a: '\ud800' }).text).not.toBe(canonicalJson({ a: '\ud801' }).text);
  });
});

describe('patterns', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?', '.'), maxLength: 12 });

  test('as a regular expression would have it', () => {
    fc.assert(
      fc.property(letters, letters, (text, pattern) => {
        const expression = pattern.replace(/[.]/g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
        expect(matchesGlob(text, pattern)).toBe(new RegExp(`^${expression}$`, 's').test(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test('a pattern of many stars takes no longer than their product', () => {
    const startedMs = performance.now();
    expect(matchesGlob('a'.repeat(2_000), `${'*a'.repeat(200)}b`)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
