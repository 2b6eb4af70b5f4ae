import type { StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { EventRuns } from './upstream.ts';

/** Watches how a stream ends: whole, torn, or with an error of its own. */
export interface StreamEnding {
  /** The wire's terminator has come. */
  done: boolean;
  /** An error part has gone by: nothing may follow it. */
  readonly broken: boolean;
  /** Takes note of what goes out. */
  see(parts: readonly StreamPart[]): void;
  /** The runs; what breaks them after the finish is of no matter, what breaks them before is the ending. */
  guarded(runs: EventRuns): EventRuns;
  /** The error part that a stream which is not whole ends with; undefined for a whole one. */
  last(): StreamPart | undefined;
}

/** A stream is whole when its terminator or a finish reason has been seen. */
export function createStreamEnding(target: string): StreamEnding {
  let failure: StreamPart | undefined;
  let finished = false;
  let broken = false;
  const ending: StreamEnding = {
    done: false,
    get broken() {
      return broken;
    },
    see(parts) {
      finished ||= parts.some((part) => part.type === 'finish');
      broken ||= parts.some((part) => part.type === 'error');
    },
    async *guarded(runs) {
      try {
        yield* runs;
      } catch (thrown) {
        if (thrown instanceof SekishoError && thrown.code === 'caller_left') throw thrown;
        failure = { type: 'error', error: thrown instanceof SekishoError ? thrown : brokenStream(target, thrown) };
      }
    },
    last() {
      if (finished || ending.done) return undefined;
      return failure ?? { type: 'error', error: brokenStream(target, 'the stream closed before it was done') };
    },
  };
  return ending;
}

/** The error of a stream that is not what the wire says a stream is. */
export function brokenStream(target: string, cause: unknown): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause });
}
