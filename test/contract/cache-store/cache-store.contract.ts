import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { matchesGlob } from '../../../src/gateway/cache/glob.ts';
import type { CacheEntry, CacheStore } from '../../../src/ports/cache-store.ts';

/** One store under test. */
export interface CacheStoreFixture {
  store: CacheStore;
  /** Lets the store's time pass. */
  elapse(ms: number): Promise<void>;
  remove(): Promise<void>;
}

const HOUR_MS = 3_600_000;

/** What every cache store must do. `make` gives an empty store of its own. */
export function cacheStoreContract(name: string, make: () => Promise<CacheStoreFixture>): void {
  describe(`cache store: ${name}`, () => {
    let fixture: CacheStoreFixture;
    let store: CacheStore;
    let next = 0;
    const newOwner = (): string => `ten_${next++}`;
    const entry = (text: string, more: Partial<CacheEntry> = {}): CacheEntry => ({
      value: Buffer.from(text),
      ttlMs: HOUR_MS,
      tags: [],
      ...more,
    });
    const textAt = async (key: string): Promise<string | undefined> => {
      const value = await store.get(key);
      return value === undefined ? undefined : Buffer.from(value).toString();
    };

    beforeAll(async () => {
      fixture = await make();
      store = fixture.store;
    });
    afterAll(async () => {
      await store.close();
      await fixture.remove();
    });

    test('gives back what it was given, and nothing for what it was not', async () => {
      const owner = newOwner();
      await store.set(`${owner}/a`, entry('one'));
      expect(await textAt(`${owner}/a`)).toBe('one');
      expect(await textAt(`${owner}/b`)).toBeUndefined();
      await store.set(`${owner}/a`, entry('two'));
      expect(await textAt(`${owner}/a`)).toBe('two');
    });

    test('any bytes under any key', async () => {
      const owner = newOwner();
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), fc.string({ unit: 'grapheme' }), async (value, word) => {
          await store.set(`${owner}/${word}`, { value, ttlMs: HOUR_MS, tags: [word] });
          expect(Buffer.from((await store.get(`${owner}/${word}`)) ?? 'none').equals(value)).toBe(true);
        }),
        { numRuns: 50 },
      );
    });

    test('many at once, each its own', async () => {
      const owner = newOwner();
      const numbers = Array.from({ length: 700 }, (_, index) => index);
      await Promise.all(numbers.map((each) => store.set(`${owner}/${each}`, entry(`v${each}`))));
      const found = await Promise.all(numbers.map((each) => textAt(`${owner}/${each}`)));
      expect(found).toEqual(numbers.map((each) => `v${each}`));
    });

    test('an entry ends with its time', async () => {
      const owner = newOwner();
      await store.set(`${owner}/short`, entry('x', { ttlMs: 50, tags: [`${owner}|t`] }));
      await store.set(`${owner}/long`, entry('y'));
      expect(await textAt(`${owner}/short`)).toBe('x');
      await fixture.elapse(60);
      expect(await textAt(`${owner}/short`)).toBeUndefined();
      expect(await textAt(`${owner}/long`)).toBe('y');
    });

    test('a tag removes exactly what carries it', async () => {
      const owner = newOwner();
      const [red, blue] = [`${owner}|red`, `${owner}|blue`];
      await store.set(`${owner}/1`, entry('1', { tags: [red] }));
      await store.set(`${owner}/2`, entry('2', { tags: [red, blue] }));
      await store.set(`${owner}/3`, entry('3', { tags: [blue] }));
      await store.set(`${owner}/4`, entry('4'));
      expect(await store.remove({ tag: red })).toBe(2);
      expect(await store.remove({ tag: red })).toBe(0);
      const left = await Promise.all([1, 2, 3, 4].map((each) => textAt(`${owner}/${each}`)));
      expect(left).toEqual([undefined, undefined, '3', '4']);
    });

    test('one tag of thousands of entries removes all of them', async () => {
      const owner = newOwner();
      const numbers = Array.from({ length: 2_500 }, (_, index) => index);
      await Promise.all(numbers.map((each) => store.set(`${owner}/${each}`, entry('x', { tags: [`${owner}|all`] }))));
      expect(await store.remove({ tag: `${owner}|all` })).toBe(numbers.length);
      expect(await store.remove({ pattern: `${owner}/*` })).toBe(0);
    });

    test('an entry kept again under a tag goes with it', async () => {
      const owner = newOwner();
      await store.set(`${owner}/a`, entry('1'));
      await store.set(`${owner}/a`, entry('2', { tags: [`${owner}|new`] }));
      expect(await store.remove({ tag: `${owner}|new` })).toBe(1);
      expect(await textAt(`${owner}/a`)).toBeUndefined();
    });

    test('a pattern removes exactly what it matches', async () => {
      const owner = newOwner();
      const words = ['fast/1', 'fast/22', 'faster/1', 'a[b]c/1', 'a-z/1', 'back\\slash/1', 'x*y/1'];
      for (const pattern of ['fast/*', 'fast/?', '*/1', 'a[b]c/*', 'a[a-z]c/*', 'a-z/?', 'back\\slash/*', '*']) {
        await Promise.all(words.map((word) => store.set(`${owner}/${word}`, entry(word))));
        const matched = words.filter((word) => matchesGlob(word, pattern));
        expect([pattern, await store.remove({ pattern: `${owner}/${pattern}` })]).toEqual([pattern, matched.length]);
        for (const word of words) expect((await textAt(`${owner}/${word}`)) === undefined).toBe(matched.includes(word));
      }
    });
  });
}
