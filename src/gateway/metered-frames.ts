import type { ChatStream, StreamFrame } from '../ports/provider.ts';
import { toSekishoError, type SekishoError } from '../spec/errors.ts';
import type { Usage } from '../spec/usage.ts';

/** What a stream has told about itself so far. */
export interface StreamTally {
  usage?: Usage;
  error?: SekishoError;
  finished: boolean;
  /** Content events passed on; stands for output tokens where no usage came. */
  events: number;
}

/**
 * Hands the frames of a stream on and keeps the tally. `onEnd` runs exactly once and is awaited before the
 * last frame is out: at the end, on an error (which goes out as an error part, never as a thrown one), and
 * when the reader leaves early.
 */
export async function* meteredFrames(options: {
  stream: ChatStream;
  next: (frame: Promise<IteratorResult<StreamFrame>>) => Promise<IteratorResult<StreamFrame>>;
  onEnd: (tally: StreamTally, leftEarly: unknown) => Promise<void>;
}): AsyncGenerator<StreamFrame> {
  const { stream } = options;
  const tally: StreamTally = { finished: false, events: 0 };
  const frames = stream.frames[Symbol.asyncIterator]();
  let left: unknown = 'the reader left';
  try {
    for (;;) {
      const { value: frame, done } = await options.next(frames.next());
      if (done === true) break;
      for (const part of frame.parts) {
        if (part.type === 'usage') tally.usage = part.usage;
        else if (part.type === 'finish') tally.finished = true;
        else if (part.type === 'error') tally.error = part.error;
        else tally.events++;
      }
      if (frame.bytes !== undefined) tally.events += countEvents(frame.bytes);
      // Whoever sees the finish may leave at once, so the books are closed before it goes out.
      if (tally.finished && tally.usage !== undefined) await options.onEnd(tally, undefined);
      yield frame;
      if (tally.error !== undefined) break;
    }
    left = undefined;
  } catch (thrown) {
    left = undefined;
    tally.error = toSekishoError(thrown);
    yield { parts: [{ type: 'error', error: tally.error }] };
  } finally {
    await frames.return?.();
    await options.onEnd(tally, left);
  }
}

/** Server-sent events in a run of whole ones; the search is native, which a loop over bytes would not be. */
function countEvents(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = buffer.indexOf('data:'); at !== -1; at = buffer.indexOf('data:', at + 5)) count++;
  return count;
}
