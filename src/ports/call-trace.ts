import type { SekishoError } from '../spec/errors.ts';
import type { RequestId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import type { Principal } from '../spec/principal.ts';

/** The steps of a model call that a trace shows. */
export const CALL_STEPS = ['route', 'admit', 'guard_in', 'cache', 'fit', 'attempt', 'guard_out', 'settle'] as const;
export type CallStep = (typeof CALL_STEPS)[number];

/**
 * What a span tells beside its name: names, numbers and flags, never prompts, answers or credentials.
 * An attempt tells `target`, `wire`, `model` and `url` (of which only host and port are kept).
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** One step of a call, open until `end`. */
export interface StepSpan {
  set(attributes: SpanAttributes): void;
  /** Ends the step; later endings change nothing. */
  end(error?: SekishoError): void;
  /** The headers that tell an upstream of this trace; attempts have them. */
  headers?(): Record<string, string>;
}

/** The trace of one model call. */
export interface CallTrace {
  /** 32 hexadecimal digits. */
  traceId: string;
  span(name: CallStep, attributes?: SpanAttributes): StepSpan;
  /** Ends the call's own span with what the ledger says of it; steps still open end with it. */
  end(entry: LedgerEntry, error?: SekishoError): void;
  /** Ends the call's own span where nothing was settled: a call refused before its first attempt. */
  refuse(error: SekishoError): void;
}

/** Opens the traces of model calls. */
export interface CallTracer {
  /** Undefined where this call is not traced: tracing is off, the caller decided so, or the lot fell so. */
  open(call: {
    requestId: RequestId;
    operation: LedgerEntry['operation'];
    route: string;
    principal: Principal;
    streamed: boolean;
    /** The `traceparent` header of the caller, as it came. */
    traceParent?: string;
  }): CallTrace | undefined;
}
