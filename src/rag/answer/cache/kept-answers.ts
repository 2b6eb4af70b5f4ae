import type { Invalidation } from '../../../gateway/cache/cache-admin.ts';
import { isSelected, ownSelection, ownTag } from '../../../gateway/cache/cache-selection.ts';
import { createTieredCache } from '../../../gateway/cache/tiered-cache.ts';
import type { Clock } from '../../../lib/clock.ts';
import { isJsonObject, objectAt, parseJson, stringAt } from '../../../lib/json.ts';
import type { CacheSelection, CacheStore } from '../../../ports/cache-store.ts';
import type { TenantId } from '../../../spec/ids.ts';
import type { Wire } from '../../../spec/wire.ts';
import type { QuestionAnswer } from '../../answer-question.ts';

/** An answer to a question, and by whom it was written. */
export interface KeptAnswer {
  result: QuestionAnswer;
  target: string;
  wire: Wire;
}

/** Where answers to questions are kept. */
export interface KeptAnswers {
  /** A fresh copy each time, so that nobody who gets it can change it for the next one. */
  get(key: string): Promise<KeptAnswer | undefined>;
  /** Begins the making of an answer, so that nothing is kept of what is to be forgotten meanwhile. */
  begin(key: string, tenantId: TenantId): Making;
  /** @returns how many were forgotten. @throws SekishoError storage_unavailable; this process has forgotten them all the same. */
  invalidate(tenantId: TenantId, selection: Invalidation): Promise<number>;
}

/** An answer in the making. `end` must be called, whatever becomes of it. */
export interface Making {
  keep(answer: KeptAnswer, belongs: { ttlMs: number; tags: readonly string[] }): void;
  end(): void;
}

export interface KeptAnswersOptions {
  /** What this process may take; 0 keeps nothing. */
  memoryBytes: number;
  /** The second level, of all replicas. */
  shared?: CacheStore;
  clock: Clock;
}

const LARGEST_ANSWER = 512 * 1024;
const VERSION = 1;

/** Answers to questions, in memory and in a shared store. */
export function createKeptAnswers(options: KeptAnswersOptions): KeptAnswers {
  const kept = createTieredCache<string>({
    ...options,
    bytesOf: (json) => 2 * json.length,
    encode: (json) => Buffer.from(json),
    decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
  });
  /** Of each answer that is being made, what was forgotten since it began. */
  const making = new Set<CacheSelection[]>();
  kept.onRemoved((selection) => {
    for (const forgotten of making) forgotten.push(selection);
  });

  return {
    get: async (key) => {
      const json = kept.peek(key) ?? (await kept.fetch(key));
      return json === undefined ? undefined : read(json);
    },
    begin: (key, tenantId) => {
      const forgotten: CacheSelection[] = [];
      making.add(forgotten);
      return {
        keep: (answer, { ttlMs, tags }) => {
          const own = tags.map((tag) => ownTag(tenantId, tag));
          if (ttlMs <= 0 || forgotten.some((selection) => isSelected(selection, key, own))) return;
          const json = JSON.stringify({ version: VERSION, ...answer });
          if (json.length <= LARGEST_ANSWER) kept.keep(key, json, { ttlMs, tags: own });
        },
        end: () => void making.delete(forgotten),
      };
    },
    invalidate: (tenantId, selection) => kept.remove(ownSelection(tenantId, selection)),
  };
}

/** undefined for what another version wrote. */
function read(json: string): KeptAnswer | undefined {
  const found = parseJson(json);
  if (!isJsonObject(found) || found['version'] !== VERSION) return undefined;
  const result = objectAt(found, 'result');
  return result !== undefined && stringAt(result, 'answer') !== undefined && isKept(found) ? found : undefined;
}

/** Ours: nothing but kept answers of this version is read here. */
function isKept(found: unknown): found is KeptAnswer {
  return isJsonObject(found) && typeof found['target'] === 'string' && typeof found['wire'] === 'string';
}
