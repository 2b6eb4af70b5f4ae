/** How a recorded stream ended. `text` is undefined where it was too large to keep, or is not text. */
export type RecordedEnd = { end: 'complete'; text: string | undefined } | { end: 'broken' | 'left' };

/** What ends a stream that went well, in any of the dialects; what a model says is escaped, so that it never matches. */
const TERMINATOR = /\ndata: ?\[DONE\]|"message_stop"|"response\.(?:completed|incomplete|failed)"/;
/** Longer than any terminator: one may lie across two pieces. */
const OVERLAP = 40;

/**
 * Hands the bytes of an event stream on as they come and keeps a copy of up to `maxBytes`. From the piece with the
 * stream's terminator on they are held back until the recording is settled: whoever has seen the end of an answer can
 * rely on its being kept. A stream that ends without its terminator is broken. `onEnd` is called once.
 */
export function recordBody(
  source: ReadableStream<Uint8Array>,
  options: { maxBytes: number; onEnd: (end: RecordedEnd) => Promise<void> },
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let tail = '\n';
  let terminated = false;
  let ended = false;

  async function end(otherwise: 'broken' | 'left'): Promise<void> {
    if (ended) return;
    ended = true;
    const text = bytes > options.maxBytes ? undefined : textOf(pieces);
    await options.onEnd(terminated ? { end: 'complete', text } : { end: otherwise });
  }

  function record(piece: Uint8Array): void {
    bytes += piece.length;
    if (bytes <= options.maxBytes) pieces.push(piece);
    else pieces = [];
    const text = tail + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
    terminated ||= TERMINATOR.test(text);
    tail = text.slice(-OVERLAP);
  }

  /** The next piece that may go out; undefined at the end. */
  async function nextPiece(): Promise<Uint8Array | undefined> {
    const held: Uint8Array[] = [];
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      record(step.value);
      if (!terminated) return step.value;
      held.push(step.value);
    }
    await end('broken');
    return held.length === 0 ? undefined : Buffer.concat(held);
  }

  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const piece = await nextPiece();
          if (piece !== undefined) controller.enqueue(piece);
          if (ended) controller.close();
        } catch (thrown) {
          await end('broken');
          // The reader sees a broken connection; a rejection here, or of a stream that is left, would end the process.
          try {
            controller.error(thrown);
          } catch {
            return;
          }
        }
      },
      cancel: async (reason) => {
        await end('left');
        await reader.cancel(reason).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

function textOf(pieces: readonly Uint8Array[]): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces));
    // Not every database takes it.
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}
