import type { StreamFrame } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { brokenStream, type ReadRun, type RunReader } from './run-reader.ts';
import type { OpenStream } from './upstream.ts';

const DONE: IteratorResult<StreamFrame> = { value: undefined, done: true };

/**
 * The frames of a streamed answer. It ends well with the wire's terminator, or where the body ends or breaks
 * after a finish reason; in every other case with one error part. Returning early aborts the upstream. `next`
 * throws only caller_left.
 *
 * @throws SekishoError where the first run ends in an error: nothing has gone out, so another target may be tried.
 */
export function streamFrames(
  { first, source }: OpenStream,
  target: string,
  reader: RunReader,
): AsyncIterable<StreamFrame> {
  let pending: ReadRun | undefined = reader.read(first);
  let over = false;
  const refusal = errorIn(pending.frame);
  if (refusal !== undefined) {
    source.abort();
    throw refusal;
  }

  async function closed(frame: StreamFrame): Promise<IteratorResult<StreamFrame>> {
    over = true;
    const owed = await reader.close();
    const bytes = isEmpty(owed.bytes)
      ? frame.bytes
      : Buffer.concat([frame.bytes ?? Buffer.alloc(0), owed.bytes ?? Buffer.alloc(0)]);
    const value = { ...(bytes !== undefined && { bytes }), parts: [...frame.parts, ...owed.parts] };
    return isEmpty(bytes) && value.parts.length === 0 ? DONE : { value, done: false };
  }

  async function torn(thrown: unknown): Promise<IteratorResult<StreamFrame>> {
    over = true;
    if (thrown instanceof SekishoError && thrown.code === 'caller_left') throw thrown;
    if (reader.finished) return closed({ parts: [] });
    const error = thrown instanceof SekishoError ? thrown : brokenStream(target, thrown);
    return { value: { parts: [{ type: 'error', error }] }, done: false };
  }

  async function next(): Promise<IteratorResult<StreamFrame>> {
    while (!over) {
      let read = pending;
      pending = undefined;
      if (read === undefined) {
        try {
          const run = await source.next();
          if (run === undefined) return await torn('the stream closed before it was done');
          read = reader.read(run);
        } catch (thrown) {
          source.abort();
          return await torn(thrown);
        }
      }
      const { frame, ended } = read;
      if (ended) {
        source.complete();
        return await closed(frame);
      }
      if (errorIn(frame) !== undefined) {
        over = true;
        source.abort();
      }
      if (!isEmpty(frame.bytes) || frame.parts.length > 0) return { value: frame, done: false };
    }
    return DONE;
  }

  return {
    [Symbol.asyncIterator]: () => ({
      next,
      return: () => {
        over = true;
        source.abort();
        return Promise.resolve(DONE);
      },
    }),
  };
}

/** The error that a frame ends with; nothing stands behind it. */
function errorIn(frame: StreamFrame): SekishoError | undefined {
  const last = frame.parts.at(-1);
  return last?.type === 'error' ? last.error : undefined;
}

function isEmpty(bytes: Uint8Array | undefined): boolean {
  return bytes === undefined || bytes.length === 0;
}
