import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';
import type { CacheSelection } from '../../ports/cache-store.ts';
import { matchesGlob } from './glob.ts';

/** What is held in memory, and what it belongs to. */
export interface Held<T> {
  value: T;
  /** Its size and that of everything that hangs on it. */
  bytes: number;
  /** Monotonic. */
  untilMs: number;
  tags: readonly string[];
}

/** The level of a cache that is this process: bounded in bytes, the least recently used goes first. */
export interface MemoryLevel<T> {
  get(key: string): T | undefined;
  /** What is larger than an eighth of the whole is not kept. */
  set(key: string, held: Held<T>): void;
  /** @returns how many were removed. */
  remove(selection: CacheSelection): number;
  /** What keys that begin with `owner/` take. */
  sizeOf(owner: string): { entries: number; bytes: number };
}

const LARGEST_SHARE = 8;

/** Keys begin with their owner and a slash. With 0 bytes nothing is ever held. */
export function createMemoryLevel<T>(options: { maxBytes: number; clock: Clock }): MemoryLevel<T> {
  const { maxBytes, clock } = options;
  const byTag = new Map<string, Set<string>>();
  const sizes = new Map<string, { entries: number; bytes: number }>();
  const entries = new LRUCache<string, Held<T>>({
    maxSize: Math.max(1, maxBytes),
    maxEntrySize: Math.max(1, Math.floor(maxBytes / LARGEST_SHARE)),
    sizeCalculation: ({ bytes }) => Math.max(1, bytes),
    dispose: forget,
  });

  function remember(key: string, held: Held<T>): void {
    const size = sizes.get(ownerOf(key)) ?? { entries: 0, bytes: 0 };
    sizes.set(ownerOf(key), { entries: size.entries + 1, bytes: size.bytes + held.bytes });
    for (const tag of held.tags) {
      const keys = byTag.get(tag);
      if (keys === undefined) byTag.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  function forget(held: Held<T>, key: string): void {
    const size = sizes.get(ownerOf(key));
    if (size !== undefined && size.entries > 1) {
      sizes.set(ownerOf(key), { entries: size.entries - 1, bytes: size.bytes - held.bytes });
    } else sizes.delete(ownerOf(key));
    for (const tag of held.tags) {
      const keys = byTag.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) byTag.delete(tag);
    }
  }

  return {
    get: (key) => {
      const held = entries.get(key);
      if (held === undefined) return undefined;
      if (held.untilMs > clock.monotonicMs()) return held.value;
      entries.delete(key);
      return undefined;
    },
    set: (key, held) => {
      entries.delete(key);
      if (maxBytes <= 0) return;
      entries.set(key, held);
      // What is too large was not taken.
      if (entries.peek(key) === held) remember(key, held);
    },
    remove: (selection) => {
      const doomed =
        'tag' in selection
          ? [...(byTag.get(selection.tag) ?? [])]
          : [...entries.keys()].filter((key) => matchesGlob(key, selection.pattern));
      for (const key of doomed) entries.delete(key);
      return doomed.length;
    },
    sizeOf: (owner) => sizes.get(owner) ?? { entries: 0, bytes: 0 },
  };
}

function ownerOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}
