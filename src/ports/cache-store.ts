/** What a kept value belongs to; naming one of them removes it. */
export interface CacheEntry {
  value: Uint8Array;
  ttlMs: number;
  tags: readonly string[];
}

/** Which entries to remove: those that carry the tag, or whose key matches the glob pattern (`*`, `?`). */
export type CacheSelection = { tag: string } | { pattern: string };

/** A shared, bounded place for values that can be had again: losing one costs time, never truth. */
export interface CacheStore {
  /** undefined where it is not there, has ended, or the store does not answer in time. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Never rejects: what cannot be kept is not kept. */
  set(key: string, entry: CacheEntry): Promise<void>;
  /** @returns how many were removed. @throws SekishoError storage_unavailable. */
  remove(selection: CacheSelection): Promise<number>;
  /** Told of removals by other replicas, so that what a process holds in memory goes too. */
  onRemoved(listener: (selection: CacheSelection) => void): void;
  close(): Promise<void>;
}
