import { describe, expect, test } from 'bun:test';
import type { CacheEntry, CacheSelection, CacheStore } from '../../ports/cache-store.ts';
import { SekishoError } from '../../spec/errors.ts';
import { createTieredCache } from './tiered-cache.ts';

/** A store whose answers come when the test says so. */
function heldStore() {
  const entries = new Map<string, CacheEntry>();
  const listeners: ((selection: CacheSelection) => void)[] = [];
  let waiting: (() => void)[] = [];
  const state = { fails: false };
  const store: CacheStore = {
    get: (key) => {
      const value = entries.get(key)?.value;
      return new Promise((resolve, reject) => {
        waiting.push(() => (state.fails ? reject(new Error('a store that breaks its word')) : resolve(value)));
      });
    },
    set: (key, entry) => Promise.resolve(void entries.set(key, entry)),
    remove: () =>
      state.fails ? Promise.reject(new SekishoError('storage_unavailable')) : Promise.resolve(entries.size),
    onRemoved: (listener) => void listeners.push(listener),
    close: () => Promise.resolve(),
  };
  const answer = (): void => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  };
  const removedElsewhere = (selection: CacheSelection): void => listeners.forEach((listener) => listener(selection));
  return { store, state, answer, removedElsewhere };
}

function setUp() {
  const held = heldStore();
  const clock = { now: 1_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const open = () =>
    createTieredCache<string>({
      memoryBytes: 100_000,
      shared: held.store,
      clock,
      bytesOf: (text) => text.length,
      encode: (text) => Buffer.from(text),
      decode: (bytes) => Buffer.from(bytes).toString(),
    });
  return { ...held, clock, open };
}

describe('two levels', () => {
  test('what is read from the store while something is removed is neither given nor taken into memory', async () => {
    const { open, answer, removedElsewhere } = setUp();
    open().keep('ten_a/k', 'stale', { ttlMs: 10_000, tags: ['t'] });
    const other = open();
    const fetching = other.fetch('ten_a/k');
    removedElsewhere({ tag: 't' });
    answer();
    expect(await fetching).toBeUndefined();
    expect(other.peek('ten_a/k')).toBeUndefined();
    const again = other.fetch('ten_a/k');
    answer();
    expect(await again).toBe('stale');
    expect(other.peek('ten_a/k')).toBe('stale');
  });

  test('what is taken into memory while the store removes goes as well', async () => {
    const { open, answer } = setUp();
    open().keep('ten_a/k', 'stale', { ttlMs: 10_000, tags: ['t'] });
    const other = open();
    const removing = other.remove({ tag: 't' });
    const fetching = other.fetch('ten_a/k');
    answer();
    await Promise.all([removing, fetching]);
    expect(other.peek('ten_a/k')).toBeUndefined();
  });

  test('the tags of an entry from the store hold in memory', async () => {
    const { open, answer, removedElsewhere } = setUp();
    open().keep('ten_a/k', 'x', { ttlMs: 10_000, tags: ['one', 'two'] });
    const other = open();
    const fetching = other.fetch('ten_a/k');
    answer();
    await fetching;
    removedElsewhere({ tag: 'three' });
    expect(other.peek('ten_a/k')).toBe('x');
    removedElsewhere({ tag: 'two' });
    expect(other.peek('ten_a/k')).toBeUndefined();
  });

  test('a store that fails costs a miss; a removal that fails is forgotten here all the same', async () => {
    const { open, answer, state } = setUp();
    const cache = open();
    cache.keep('ten_a/k', 'x', { ttlMs: 10_000, tags: ['t'] });
    state.fails = true;
    expect(cache.remove({ tag: 't' })).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(cache.peek('ten_a/k')).toBeUndefined();
    const fetching = cache.fetch('ten_a/k');
    answer();
    expect(await fetching).toBeUndefined();
  });
});
