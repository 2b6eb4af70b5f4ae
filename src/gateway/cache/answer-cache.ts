import type { Clock } from '../../lib/clock.ts';
import type { Sleep } from '../../lib/sleep.ts';
import type { CacheStore } from '../../ports/cache-store.ts';
import type { ChatAnswer, ChatStream } from '../../ports/provider.ts';
import type { TenantId } from '../../spec/ids.ts';
import type { ModelCall } from '../model-call.ts';
import { answerKey, type CachedPlan } from './answer-key.ts';
import type { AnswerCacheStats, CachePart } from './cache-admin.ts';
import { isSelected, ownSelection } from './cache-selection.ts';
import { createCacheTally } from './cache-tally.ts';
import { callTags } from './call-tags.ts';
import { createFlights, type Flight, type Joined } from './flights.ts';
import {
  answerFor,
  bytesOfKept,
  decodeKept,
  encodeKept,
  keptAnswer,
  mayExceedVocabulary,
  type KeptAnswer,
} from './kept-answer.ts';
import { watchStream } from './kept-stream.ts';
import { createTieredCache } from './tiered-cache.ts';

/** What the cache says to a call. A hit's usage is what the kept answer used when it was made. */
export type CacheLook = { kind: 'hit'; level: 'memory' | 'shared' | 'joined'; answer: ChatAnswer } | CacheLead;

/** The call goes upstream, and whoever asks the same meanwhile waits for it. Exactly one of its verbs must be called. */
export interface CacheLead {
  kind: 'lead';
  /** The whole answer, before anything that is this caller's alone was done to it. */
  keep(answer: ChatAnswer): void;
  /** The streamed answer: the stream returned in its place keeps itself when it has come to a good end. */
  keepStream(stream: ChatStream): ChatStream;
  /** There is no answer: the call failed, or its caller left. */
  abandon(): void;
}

/** What happened, for metrics and spans. */
export type CacheEvent =
  | { type: 'hit'; level: 'memory' | 'shared' | 'joined'; tenantId: TenantId; route: string }
  | { type: 'miss'; tenantId: TenantId; route: string }
  | { type: 'kept' | 'not_kept'; tenantId: TenantId; route: string };

export interface AnswerCacheOptions {
  /** The second level, of all replicas. */
  shared?: CacheStore;
  /** What the first level may take; 0 turns it off. */
  memoryBytes: number;
  clock: Clock;
  sleep: Sleep;
  /** For calls that ask to be cached on routes without a policy. */
  defaultTtlMs: number;
  /** Where a provider is reached (the host of its base address); two places never share answers. */
  placeOf: (provider: string) => string;
  onEvent?: (event: CacheEvent) => void;
}

export interface AnswerCache extends CachePart<AnswerCacheStats> {
  /**
   * Asks for a kept answer. Without a policy of the route or a wish of the call it is undefined at once, and so
   * where the call cannot be cached: it then goes its way as if there were no cache.
   * The promise rejects with caller_left where the caller leaves while it waits for an identical call.
   */
  look(call: ModelCall, plan: CachedPlan): Promise<CacheLook> | undefined;
}

/** Longest time that anybody waits for an identical call; then it goes alone. */
const MAX_WAIT_MS = 60_000;
const MAX_WAITERS = 10_000;
/** Largest answer, in bytes of a stream or of memory, that is kept. */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;
const LONGEST_TTL_MS = 30 * 24 * 3_600_000;

const COUNTED = ['memory', 'shared', 'joined', 'miss', 'kept', 'not_kept'] as const;

/** Answers to identical calls, given again: from memory, from the shared store, from a call in flight. */
export function createAnswerCache(options: AnswerCacheOptions): AnswerCache {
  const { placeOf, onEvent } = options;
  const tally = createCacheTally(COUNTED);
  const flights = createFlights<KeptAnswer>({
    sleep: options.sleep,
    maxWaitMs: MAX_WAIT_MS,
    maxWaiters: MAX_WAITERS,
  });
  const kept = createTieredCache<KeptAnswer>({
    memoryBytes: options.memoryBytes,
    clock: options.clock,
    bytesOf: bytesOfKept,
    encode: encodeKept,
    decode: decodeKept,
    ...(options.shared && { shared: options.shared }),
  });
  kept.onRemoved((selection) => flights.invalidate((key, tags) => isSelected(selection, key, tags)));

  function tell(call: ModelCall, what: (typeof COUNTED)[number]): void {
    const { tenantId } = call.principal;
    tally.add(tenantId, what);
    if (onEvent === undefined) return;
    const about = { tenantId, route: call.route };
    if (what === 'memory' || what === 'shared' || what === 'joined') onEvent({ type: 'hit', level: what, ...about });
    else onEvent({ type: what, ...about });
  }

  function hit(call: ModelCall, level: 'memory' | 'shared' | 'joined', answer: ChatAnswer): CacheLook {
    tell(call, level);
    return { kind: 'hit', level, answer };
  }

  /** What a call that goes upstream does with its answer. */
  function lead(call: ModelCall, entry: Entry, flight = flights.open(entry.key, entry.tags)): CacheLead {
    tell(call, 'miss');
    const keep = (answer: ChatAnswer): void => {
      const made = keptOrNothing(call, answer);
      const keeps = made !== undefined && !flight.stale;
      tell(call, keeps ? 'kept' : 'not_kept');
      if (keeps) kept.keep(entry.key, made, entry);
      if (made === undefined) flight.scatter();
      else flight.land(made);
    };
    const abandon = (): void => {
      tell(call, 'not_kept');
      flight.pass();
    };
    return {
      kind: 'lead',
      keep,
      abandon,
      keepStream: (stream) =>
        watchStream(stream, {
          maxBytes: MAX_ANSWER_BYTES,
          onEnd: (end) => {
            if (end.kind === 'whole') return keep({ usage: end.result.usage, result: () => end.result });
            if (end.kind === 'broken') return abandon();
            tell(call, 'not_kept');
            flight.scatter();
          },
        }),
    };
  }

  async function joined(call: ModelCall, entry: Entry, arrival: Promise<Joined<KeptAnswer>>): Promise<CacheLook> {
    const outcome = await arrival;
    if (outcome.kind === 'lead') return lead(call, entry, outcome.flight);
    const answer = outcome.kind === 'landed' ? answerFor(call, outcome.value) : undefined;
    return answer === undefined ? lead(call, entry) : hit(call, 'joined', answer);
  }

  async function fetched(
    call: ModelCall,
    entry: Entry,
    flight: Flight<KeptAnswer>,
    fetching: Promise<KeptAnswer | undefined>,
  ): Promise<CacheLook> {
    const found = await fetching;
    const answer = found === undefined ? undefined : answerFor(call, found);
    if (found === undefined || answer === undefined) return lead(call, entry, flight);
    flight.land(found);
    return hit(call, 'shared', answer);
  }

  return {
    look: (call, plan) => {
      const wish = call.cache?.wish ?? (plan.cache === undefined ? 'bypass' : 'use');
      if (wish === 'bypass') return undefined;
      const entry = entryOf(call, plan, options.defaultTtlMs, placeOf);
      if (entry === undefined) return undefined;
      const { key } = entry;
      if (wish === 'use') {
        const known = kept.peek(key);
        const answer = known === undefined ? undefined : answerFor(call, known);
        if (answer !== undefined) return Promise.resolve(hit(call, 'memory', answer));
        const arrival = flights.join(key, call.signal);
        if (arrival !== undefined) return joined(call, entry, arrival);
      }
      // Answers that a stream may carry and the vocabulary lacks could only be kept in part.
      if (call.stream && isUnsure(call)) return undefined;
      const flight = flights.open(key, entry.tags);
      const fetching = wish === 'use' ? kept.fetch(key) : undefined;
      return fetching === undefined
        ? Promise.resolve(lead(call, entry, flight))
        : fetched(call, entry, flight, fetching);
    },

    stats: (tenantId) => {
      const counted = tally.of(tenantId);
      const hits = counted.memory + counted.shared + counted.joined;
      const lookups = hits + counted.miss;
      return {
        lookups,
        hits,
        misses: counted.miss,
        hitRate: lookups === 0 ? 0 : hits / lookups,
        memoryHits: counted.memory,
        sharedHits: counted.shared,
        joined: counted.joined,
        kept: counted.kept,
        notKept: counted.not_kept,
        memory: kept.sizeOf(tenantId),
      };
    },
    invalidate: (tenantId, selection) => kept.remove(ownSelection(tenantId, selection)),
  };
}

/** Where an answer is kept and for how long. */
interface Entry {
  key: string;
  ttlMs: number;
  tags: readonly string[];
}

/** undefined where the call cannot be cached. */
function entryOf(
  call: ModelCall,
  plan: CachedPlan,
  defaultTtlMs: number,
  placeOf: (provider: string) => string,
): Entry | undefined {
  const tags = callTags(call);
  // Without a policy nobody has said that others may see the answer.
  const scope = plan.cache?.scope ?? 'key';
  const longestMs = plan.cache?.ttlMs ?? LONGEST_TTL_MS;
  const ttlMs = Math.min(call.cache?.ttlMs ?? plan.cache?.ttlMs ?? defaultTtlMs, longestMs);
  if (tags === undefined || ttlMs <= 0) return undefined;
  try {
    const key = answerKey({ call, plan, scope, placeOf });
    return key === undefined ? undefined : { key, ttlMs, tags };
  } catch {
    // A body that the vocabulary cannot read is refused where it is translated, with its reason.
    return undefined;
  }
}

function isUnsure(call: ModelCall): boolean {
  try {
    return mayExceedVocabulary(call);
  } catch {
    return true;
  }
}

/** An answer that cannot be read is the caller's all the same; it is only not kept. */
function keptOrNothing(call: ModelCall, answer: ChatAnswer): KeptAnswer | undefined {
  try {
    const made = keptAnswer(call, answer);
    return made !== undefined && bytesOfKept(made) <= MAX_ANSWER_BYTES ? made : undefined;
  } catch {
    return undefined;
  }
}
