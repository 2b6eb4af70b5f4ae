import type { StreamFrame } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';

/** What a run of events means: what to hand on, and whether the wire's terminator was in it. */
export interface ReadRun {
  /** Ends with an error part where the upstream says that it failed, or says what is no event. */
  frame: StreamFrame;
  ended: boolean;
}

/** Understands the events of one wire, to pass them on as they are or to translate them. */
export interface RunReader {
  read(run: Buffer): ReadRun;
  /** True once the wire has given its reason for ending, so that a missing terminator does no harm. */
  readonly finished: boolean;
  /** What is still owed at a good end: usage, finish, the terminator that callers wait for. */
  close(): Promise<StreamFrame>;
}

/** The error of a stream that is not what the wire says a stream is. */
export function brokenStream(target: string, cause: unknown): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause });
}
