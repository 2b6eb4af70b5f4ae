import type { Clock } from '../../lib/clock.ts';
import { spliceJson } from '../../lib/json-splice.ts';
import type { CacheStore } from '../../ports/cache-store.ts';
import type { EmbeddingAnswer } from '../../ports/provider.ts';
import type { EmbeddingResult } from '../../spec/embedding.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { sumUsage } from '../batching/share-usage.ts';
import type { EmbedCall } from '../model-call.ts';
import type { CachePart, EmbeddingCacheStats } from './cache-admin.ts';
import { ownSelection, ownTag } from './cache-selection.ts';
import { createCacheTally } from './cache-tally.ts';
import { callTags } from './call-tags.ts';
import { embeddingSpace, type EmbeddingPlan, type EmbeddingSpace } from './embedding-key.ts';
import { bytesOfVector, decodeVector, encodeVector, type KeptVector } from './kept-vector.ts';
import { createTieredCache } from './tiered-cache.ts';

export interface EmbeddingCacheOptions {
  /** What the level in memory may take; with 0 and no second level nothing is kept. */
  memoryBytes: number;
  /** The second level: the disk of this process, or a store of all replicas. */
  shared?: CacheStore;
  clock: Clock;
  /** Where a provider is reached; two places never share vectors. */
  placeOf: (provider: string) => string;
}

/** An answer of an upstream, and which target gave it. */
export interface AskedEmbedding {
  value: EmbeddingAnswer;
  target: { name: string };
}

/** An answer that may come from the cache, wholly or in part. Its usage is what upstreams were asked for. */
export interface CachedEmbedding extends EmbeddingAnswer {
  /** Inputs whose vectors were kept. */
  cached: number;
}

export interface EmbeddingCache extends CachePart<EmbeddingCacheStats> {
  /**
   * Embeds what is not kept and puts the answer together in the order of the inputs. A call of which nothing is
   * kept goes upstream as it came, and its answer comes back as the upstream sent it.
   * @throws SekishoError what `ask` throws.
   */
  embed(
    call: EmbedCall,
    plan: EmbeddingPlan,
    ask: (asked: EmbedCall) => Promise<AskedEmbedding>,
  ): Promise<CachedEmbedding>;
}

const TTL_MS = 30 * 24 * 3_600_000;
const COUNTED = ['memory', 'shared', 'miss'] as const;

/** What is being asked for, and whether it was invalidated meanwhile. */
interface Asking {
  tags: readonly string[];
  stale: boolean;
}

/** Embeddings by content: the same text for the same model is embedded once per tenant. */
export function createEmbeddingCache(options: EmbeddingCacheOptions): EmbeddingCache {
  const { shared, memoryBytes, placeOf } = options;
  const isOn = memoryBytes > 0 || shared !== undefined;
  const tally = createCacheTally(COUNTED);
  const asking = new Set<Asking>();
  const kept = createTieredCache<KeptVector>({
    memoryBytes,
    clock: options.clock,
    bytesOf: bytesOfVector,
    encode: encodeVector,
    decode: decodeVector,
    ...(shared && { shared }),
  });
  kept.onRemoved((selection) => {
    for (const each of asking) if (!('tag' in selection) || each.tags.includes(selection.tag)) each.stale = true;
  });

  /** The vectors that are kept, in the order of the inputs. */
  async function known(call: EmbedCall, keys: readonly string[]): Promise<(KeptVector | undefined)[]> {
    if (call.cache?.wish === 'refresh') return keys.map(() => undefined);
    let [inMemory, inStore] = [0, 0];
    const found = await Promise.all(
      keys.map(async (key) => {
        const held = kept.peek(key);
        if (held !== undefined) inMemory++;
        const fetched = held === undefined ? await kept.fetch(key) : undefined;
        if (fetched !== undefined) inStore++;
        return held ?? fetched;
      }),
    );
    const { tenantId } = call.principal;
    tally.add(tenantId, 'memory', inMemory);
    tally.add(tenantId, 'shared', inStore);
    tally.add(tenantId, 'miss', keys.length - inMemory - inStore);
    return found;
  }

  /** Asks upstream and keeps what it says. */
  async function asked(
    call: EmbedCall,
    place: { space: EmbeddingSpace; tags: readonly string[] },
    ask: (asked: EmbedCall) => Promise<AskedEmbedding>,
  ): Promise<AskedEmbedding> {
    const own = (call.inputTags ?? []).flat().map((tag) => ownTag(call.principal.tenantId, tag));
    const mine: Asking = { tags: own.length === 0 ? place.tags : [...place.tags, ...own], stale: false };
    asking.add(mine);
    try {
      const outcome = await ask(call);
      if (!mine.stale && place.space.admits(outcome.target.name)) keepAll(call, place, outcome.value);
      return outcome;
    } finally {
      asking.delete(mine);
    }
  }

  function keepAll(
    call: EmbedCall,
    { space, tags }: { space: EmbeddingSpace; tags: readonly string[] },
    answer: EmbeddingAnswer,
  ): void {
    const ttlMs = Math.min(call.cache?.ttlMs ?? TTL_MS, TTL_MS);
    const result = resultOf(answer);
    result?.vectors.forEach((vector, index) => {
      const text = call.request.input[index];
      if (text === undefined || vector.length === 0) return;
      const own = call.inputTags?.[index]?.map((tag) => ownTag(call.principal.tenantId, tag)) ?? [];
      const entry = { ttlMs, tags: [...tags, ...own] };
      kept.keep(space.keyOf(text), { model: result.model, vector: vector.slice() }, entry);
    });
  }

  return {
    embed: async (call, plan, ask) => {
      const tags = callTags(call);
      const space =
        isOn && tags !== undefined && call.cache?.wish !== 'bypass' ? embeddingSpace(call, plan, placeOf) : undefined;
      if (space === undefined || tags === undefined) return { ...(await ask(call)).value, cached: 0 };
      const { input } = call.request;
      const found = await known(call, input.map(space.keyOf));
      const missing = input.filter((_, index) => found[index] === undefined);
      const ready = missing.length === 0 ? assembled(found, noUsage('reported')) : undefined;
      if (ready !== undefined) return { ...ready, cached: input.length };
      // Nothing is known, or what is known does not fit together.
      if (missing.length === 0 || missing.length === input.length) {
        return { ...(await asked(call, { space, tags }, ask)).value, cached: 0 };
      }

      const texts = [...new Set(missing)];
      const { value, target } = await asked(callFor(call, texts), { space, tags }, ask);
      const fresh = resultOf(value);
      const places = new Map(texts.map((text, index) => [text, index]));
      const all = input.map((text, index): KeptVector | undefined => {
        const vector = fresh?.vectors[places.get(text) ?? -1];
        return found[index] ?? (vector && { model: fresh?.model ?? '', vector });
      });
      const answer = space.admits(target.name) ? assembled(all, value.usage) : undefined;
      if (answer !== undefined) return { ...answer, cached: input.length - missing.length };
      // Another model answered for what was missing: vectors of two models must not stand side by side.
      const { value: whole } = await asked(call, { space, tags }, ask);
      return { ...whole, usage: sumUsage(value.usage, whole.usage), cached: 0 };
    },

    stats: (tenantId) => {
      const { memory, shared: fromStore, miss } = tally.of(tenantId);
      const hits = memory + fromStore;
      const lookups = hits + miss;
      return {
        lookups,
        hits,
        misses: miss,
        hitRate: lookups === 0 ? 0 : hits / lookups,
        memoryHits: memory,
        sharedHits: fromStore,
        memory: kept.sizeOf(tenantId),
      };
    },
    invalidate: (tenantId, selection) => kept.remove(ownSelection(tenantId, selection)),
  };
}

/** The call for some of its texts; a body of the caller's keeps every other field. */
function callFor(call: EmbedCall, input: string[]): EmbedCall {
  const { native, inputTags } = call;
  return {
    ...call,
    ...(inputTags && { inputTags: input.map((text) => inputTags[call.request.input.indexOf(text)] ?? []) }),
    request: { ...call.request, input },
    ...(native && {
      native: {
        wire: native.wire,
        text: spliceJson(native.text, { input: JSON.stringify(input) }),
        json: { ...native.json, input },
      },
    }),
  };
}

/** The answer that vectors make; undefined where one is missing or they are not of one kind. */
function assembled(vectors: readonly (KeptVector | undefined)[], usage: Usage): EmbeddingAnswer | undefined {
  const [first] = vectors;
  if (first === undefined) return undefined;
  const { model, vector } = first;
  if (!vectors.every((each) => each?.model === model && each.vector.length === vector.length)) return undefined;
  return {
    usage,
    // Copies: whoever gets a vector may change it.
    result: () => ({ model, vectors: vectors.flatMap((each) => (each ? [each.vector.slice()] : [])), usage }),
  };
}

/** An answer that cannot be read is the caller's all the same; it is only not kept. */
function resultOf(answer: EmbeddingAnswer): EmbeddingResult | undefined {
  try {
    return answer.result();
  } catch {
    return undefined;
  }
}
