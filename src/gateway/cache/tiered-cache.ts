import type { Clock } from '../../lib/clock.ts';
import { parseJson } from '../../lib/json.ts';
import type { CacheSelection, CacheStore } from '../../ports/cache-store.ts';
import { createMemoryLevel } from './memory-level.ts';

/** Two levels: the memory of this process, and behind it a store that outlives it or is shared by replicas. */
export interface TieredCache<T> {
  /** From memory, at once. */
  peek(key: string): T | undefined;
  /** From the shared store, into memory with the time that it has left; undefined at once where there is no store. */
  fetch(key: string): Promise<T | undefined> | undefined;
  /** Into both levels. Never fails: what cannot be kept is not kept. */
  keep(key: string, value: T, belongs: { ttlMs: number; tags: readonly string[] }): void;
  /**
   * Out of both levels and, by the store's word, out of every other process.
   * @returns how many were removed. @throws SekishoError storage_unavailable; this process has forgotten them all the same.
   */
  remove(selection: CacheSelection): Promise<number>;
  /** Told of removals, those of other processes as well, so that what is still on its way in can be stopped. */
  onRemoved(listener: (selection: CacheSelection) => void): void;
  /** What keys that begin with `owner/` take in memory. */
  sizeOf(owner: string): { entries: number; bytes: number };
}

export interface TieredCacheOptions<T> {
  memoryBytes: number;
  shared?: CacheStore;
  clock: Clock;
  /** Bytes that a value takes in memory. */
  bytesOf: (value: T) => number;
  encode: (value: T) => Uint8Array;
  /** undefined for bytes that another version wrote. */
  decode: (bytes: Uint8Array) => T | undefined;
}

/** Longest time that memory goes by its own word where a shared store stands behind it: a lost message costs no more. */
const MEMORY_TRUST_MS = 60_000;
/** What an entry takes beside its value: the key, its places in tables, the frame around it. */
const ENTRY_BYTES = 400;
const TAG_BYTES = 150;

export function createTieredCache<T>(options: TieredCacheOptions<T>): TieredCache<T> {
  const { shared, clock } = options;
  const memory = createMemoryLevel<T>({ maxBytes: options.memoryBytes, clock });
  const listeners: ((selection: CacheSelection) => void)[] = [];
  /** Counts removals: what was asked of the store before one must not enter memory after it. */
  let removals = 0;

  function forget(selection: CacheSelection): number {
    removals++;
    for (const listener of listeners) listener(selection);
    return memory.remove(selection);
  }
  shared?.onRemoved((selection) => void forget(selection));

  function hold(key: string, value: T, belongs: { leftMs: number; tags: readonly string[] }): void {
    const { leftMs, tags } = belongs;
    const bytes = options.bytesOf(value) + key.length + ENTRY_BYTES + tags.length * TAG_BYTES;
    const trustedMs = shared === undefined ? leftMs : Math.min(leftMs, MEMORY_TRUST_MS);
    memory.set(key, { value, bytes, untilMs: clock.monotonicMs() + trustedMs, tags });
  }

  async function fetchFrom(store: CacheStore, key: string): Promise<T | undefined> {
    const before = removals;
    const bytes = await store.get(key).catch(() => undefined);
    const kept = bytes === undefined ? undefined : unpack(bytes);
    const value = kept === undefined ? undefined : options.decode(kept.payload);
    if (kept === undefined || value === undefined || removals !== before) return undefined;
    const leftMs = kept.untilMs - clock.nowMs();
    if (leftMs <= 0) return undefined;
    hold(key, value, { leftMs, tags: kept.tags });
    return value;
  }

  return {
    peek: memory.get,
    fetch: (key) => (shared === undefined ? undefined : fetchFrom(shared, key)),
    keep: (key, value, { ttlMs, tags }) => {
      hold(key, value, { leftMs: ttlMs, tags });
      if (shared === undefined) return;
      const packed = pack({ untilMs: clock.nowMs() + ttlMs, tags, payload: options.encode(value) });
      shared.set(key, { value: packed, ttlMs, tags }).catch(() => undefined);
    },
    remove: async (selection) => {
      const forgotten = forget(selection);
      if (shared === undefined) return forgotten;
      const removed = await shared.remove(selection);
      // What was read from the store before it removed it.
      forget(selection);
      return Math.max(forgotten, removed);
    },
    onRemoved: (listener) => void listeners.push(listener),
    sizeOf: memory.sizeOf,
  };
}

interface Packed {
  /** Wall time. */
  untilMs: number;
  tags: readonly string[];
  payload: Uint8Array;
}

/** Eight bytes of time, four of length, the tags as JSON of that length, the payload. */
function pack({ untilMs, tags, payload }: Packed): Uint8Array {
  const named = Buffer.from(JSON.stringify(tags));
  const head = Buffer.alloc(12);
  head.writeDoubleLE(untilMs, 0);
  head.writeUInt32LE(named.length, 8);
  return Buffer.concat([head, named, payload]);
}

function unpack(packed: Uint8Array): Packed | undefined {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  if (bytes.length < 12) return undefined;
  const payloadAt = 12 + bytes.readUInt32LE(8);
  if (payloadAt > bytes.length) return undefined;
  const tags = parseJson(bytes.toString('utf8', 12, payloadAt));
  if (!Array.isArray(tags)) return undefined;
  return {
    untilMs: bytes.readDoubleLE(0),
    tags: tags.filter((tag) => typeof tag === 'string'),
    payload: bytes.subarray(payloadAt),
  };
}
