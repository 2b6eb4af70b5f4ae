/** Headers of every event stream; proxies must neither buffer nor transform it. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/**
 * A response body from an iterable, one piece per pull, so that a reader who does not read stops the source.
 * When the reader leaves, the iterable is returned, which aborts what stands behind it.
 * Never rejects: an error of the source ends the body (the source has said what went wrong in its own words).
 */
export function streamBody(source: AsyncIterable<Uint8Array>, onEnd: () => void): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let started = false;
  let ended = false;
  const end = (): void => {
    if (!ended) onEnd();
    ended = true;
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        started = true;
        try {
          const { value, done } = await iterator.next();
          if (done !== true) return controller.enqueue(value);
          end();
          controller.close();
        } catch (thrown) {
          end();
          // The reader sees a broken connection, which is the truth; a rejection here would end the process.
          try {
            controller.error(thrown);
          } catch {
            return;
          }
        }
      },
      cancel: async () => {
        end();
        // A generator that was never started would skip its cleanup, so it is started first.
        if (!started) iterator.next().catch(() => undefined);
        await iterator.return?.().catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
