import type { Clock } from '../lib/clock.ts';
import { toSekishoError, type SekishoError } from '../spec/errors.ts';
import { newId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { costMicros, type Micros } from '../spec/money.ts';
import { noUsage, type Usage } from '../spec/usage.ts';
import type { Reservation } from './admission.ts';
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
}

export interface Settlement {
  /** Milliseconds since the request came in. */
  elapsedMs(): number;
  /** Milliseconds of our own: elapsed without the time spent waiting for upstreams. */
  overheadMs(): number;
  /** Waits for an upstream; the time counts as the upstream's. */
  waiting<T>(upstream: Promise<T>): Promise<T>;
  /**
   * Writes the call into the ledger, corrects the reservation, tells telemetry. The first ending counts,
   * any later one changes nothing. Resolves when the ledger has the row.
   * @returns the cost, or null where the model has no price.
   */
  settle(ending: Ending): Promise<Micros | null>;
}

export interface SettlementDeps {
  ledger: Ledger;
  clock: Clock;
  /** Told of each settled call, after the ledger has it. */
  onSettled: (entry: LedgerEntry, overheadMs: number, error: SekishoError | undefined) => void;
}

/** Opens the book of one call: from here on its time is counted and it will be settled once. */
export function openSettlement(
  deps: SettlementDeps,
  call: CallOrigin & { operation: LedgerEntry['operation']; streamed: boolean },
  reservation: () => Reservation | undefined,
): Settlement {
  const startedMs = call.startedMs ?? deps.clock.monotonicMs();
  let upstreamMs = 0;
  let settled: Promise<Micros | null> | undefined;
  const elapsedMs = (): number => deps.clock.monotonicMs() - startedMs;

  async function write({ target, attempts, usage = noUsage(), error, firstByteMs }: Ending): Promise<Micros | null> {
    const cost = target.price === undefined ? null : costMicros(usage, target.price);
    const atMs = deps.clock.nowMs();
    const entry: LedgerEntry = {
      id: newId('led', atMs),
      requestId: call.requestId,
      tenantId: call.principal.tenantId,
      keyId: call.principal.keyId,
      ...(call.endUser === undefined ? {} : { endUser: call.endUser.slice(0, 200) }),
      atMs,
      operation: call.operation,
      route: call.route,
      target: target.name,
      wire: target.endpoint.wire,
      upstreamModel: target.model,
      usage,
      costMicros: cost,
      outcome: error === undefined ? 'ok' : error.code === 'caller_left' ? 'aborted' : 'error',
      ...(error === undefined ? {} : { errorCode: error.code }),
      attempts,
      streamed: call.streamed,
      durationMs: elapsedMs(),
      ...(firstByteMs === undefined ? {} : { firstByteMs }),
    };
    const used = { tokens: usage.inputTokens + usage.outputTokens, costMicros: cost ?? 0 };
    await Promise.all([reservation()?.settle(used), deps.ledger.append(entry)]);
    deps.onSettled(entry, elapsedMs() - upstreamMs, error);
    return cost;
  }

  return {
    elapsedMs,
    overheadMs: () => elapsedMs() - upstreamMs,
    waiting: async (upstream) => {
      const sinceMs = deps.clock.monotonicMs();
      try {
        return await upstream;
      } finally {
        upstreamMs += deps.clock.monotonicMs() - sinceMs;
      }
    },
    settle: (ending) => (settled ??= write(ending)),
  };
}

/** The error that ends a call whose stream threw. */
export function endingError(thrown: unknown, signal: AbortSignal): SekishoError {
  return toSekishoError(signal.aborted ? new DOMException('The caller left.', 'AbortError') : thrown);
}
