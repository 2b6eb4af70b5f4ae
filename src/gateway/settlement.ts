import type { Clock } from '../lib/clock.ts';
import { toSekishoError, type SekishoError } from '../spec/errors.ts';
import { newId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { costMicros, type Micros } from '../spec/money.ts';
import { noUsage, type Usage } from '../spec/usage.ts';
import type { CallTrace, CallTracer } from './call-trace.ts';
import type { Ledger } from './ledger.ts';
import type { CallOrigin } from './model-call.ts';
import type { ResolvedTarget } from './route-book.ts';

/** How a call ended. Exactly one of them reaches the ledger per call. */
export interface Ending {
  target: ResolvedTarget;
  attempts: number;
  usage?: Usage;
  /** Absent: the call went well. */
  error?: SekishoError;
  firstByteMs?: number;
  /** Whether the answer came from our cache; absent where nobody asked for one. */
  cache?: 'hit' | 'miss';
}

/** What the end of a call gives back or corrects: limits taken, places held. Each is told once, in any order. */
export interface Held {
  settle(used: { tokens: number; costMicros: Micros }): Promise<void>;
}

export interface Settlement {
  trace: CallTrace | undefined;
  /** Milliseconds since the request came in. */
  elapsedMs(): number;
  /** Milliseconds of our own: elapsed without the time in which at least one upstream was waited for. */
  overheadMs(): number;
  /** Waits for an upstream; the time counts as the upstream's. */
  waiting<T>(upstream: Promise<T>): Promise<T>;
  /** Has something settled together with the call. */
  hold(held: Held): void;
  /**
   * Writes the call into the ledger, corrects what is held, tells telemetry. The first ending counts,
   * any later one changes nothing. Resolves when the ledger has the row.
   * @returns the cost, or null where the model has no price.
   */
  settle(ending: Ending): Promise<Micros | null>;
  /** Ends a call that reached no upstream: what is held is given back, and the ledger has nothing to say of it. */
  abandon(error: SekishoError): Promise<void>;
}

export interface SettlementDeps {
  ledger: Ledger;
  clock: Clock;
  tracer?: CallTracer;
  /** Told of each settled call, after the ledger has it. */
  onSettled: (entry: LedgerEntry, overheadMs: number, error: SekishoError | undefined) => void;
}

/** Opens the book of one call: from here on its time is counted and it will be settled once. */
export function openSettlement(
  deps: SettlementDeps,
  call: CallOrigin,
  kind: { operation: LedgerEntry['operation']; streamed: boolean },
): Settlement {
  const startedMs = call.startedMs ?? deps.clock.monotonicMs();
  const trace = deps.tracer?.open({ ...call, ...kind });
  const helds: Held[] = [];
  let upstreamMs = 0;
  let waits = 0;
  let waitingSinceMs = 0;
  let settled: Promise<Micros | null> | undefined;
  const elapsedMs = (): number => deps.clock.monotonicMs() - startedMs;

  async function write(ending: Ending): Promise<Micros | null> {
    const { usage = noUsage(), error } = ending;
    const { price } = ending.target;
    const cost = ending.cache === 'hit' ? 0 : price === undefined ? null : costMicros(usage, price);
    const entry = entryOf(ending, usage, cost);
    // The ledger first: where a counter is seeded from it in between, the call counts twice rather than never.
    await deps.ledger.append(entry);
    const used = { tokens: usage.inputTokens + usage.outputTokens, costMicros: cost ?? 0 };
    for (const held of helds) await held.settle(used);
    deps.onSettled(entry, elapsedMs() - upstreamMs, error);
    trace?.end(entry, error);
    return cost;
  }

  function entryOf(ending: Ending, usage: Usage, cost: Micros | null): LedgerEntry {
    const { target, attempts, error, firstByteMs, cache } = ending;
    const { principal } = call;
    const atMs = deps.clock.nowMs();
    const entry: LedgerEntry = {
      id: newId('led', atMs),
      requestId: call.requestId,
      tenantId: principal.tenantId,
      keyId: principal.keyId,
      atMs,
      operation: kind.operation,
      route: call.route,
      target: target.name,
      wire: target.endpoint.wire,
      upstreamModel: target.model,
      usage,
      costMicros: cost,
      outcome: error === undefined ? 'ok' : error.code === 'caller_left' ? 'aborted' : 'error',
      attempts,
      streamed: kind.streamed,
      durationMs: elapsedMs(),
    };
    if (call.endUser !== undefined) entry.endUser = call.endUser.slice(0, 200);
    if (principal.team !== undefined) entry.team = principal.team;
    const tags = tagsOf(call);
    if (tags.length > 0) entry.tags = tags;
    if (error !== undefined) entry.errorCode = error.code;
    if (firstByteMs !== undefined) entry.firstByteMs = firstByteMs;
    if (cache !== undefined) entry.cache = cache;
    if (trace !== undefined) entry.traceId = trace.traceId;
    return entry;
  }

  return {
    trace,
    elapsedMs,
    overheadMs: () => elapsedMs() - upstreamMs,
    waiting: async (upstream) => {
      if (waits++ === 0) waitingSinceMs = deps.clock.monotonicMs();
      try {
        return await upstream;
      } finally {
        if (--waits === 0) upstreamMs += deps.clock.monotonicMs() - waitingSinceMs;
      }
    },
    hold: (held) => void helds.push(held),
    settle: (ending) => (settled ??= write(ending)),
    abandon: async (error) => {
      settled ??= (async () => {
        for (const held of helds) await held.settle({ tokens: 0, costMicros: 0 });
        return null;
      })();
      await settled;
      trace?.refuse(error);
    },
  };
}

/** The tags of the key and of the request, each once. */
export function tagsOf(call: Pick<CallOrigin, 'principal' | 'tags'>): readonly string[] {
  const ofKey = call.principal.tags ?? [];
  return call.tags === undefined ? ofKey : [...new Set([...ofKey, ...call.tags])];
}

/** The error that ends a call whose stream threw. */
export function endingError(thrown: unknown, signal: AbortSignal): SekishoError {
  return toSekishoError(signal.aborted ? new DOMException('The caller left.', 'AbortError') : thrown);
}
