import { parseJson } from '../../lib/json.ts';
import { createSseFramer, parseSse } from '../../lib/sse.ts';
import type { Exchange } from './exchange.ts';

/** How long a complete answer is given to close its body, so that its connection can serve the next call. */
const DRAIN_MS = 1_000;
/** What a whole answer may hold at most, a streamed one may too: an upstream that never ends is broken off. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;

/** The events of a streamed answer, in runs of whole ones. */
export interface EventSource {
  /** The next run; undefined at the end of the body. @throws SekishoError upstream_broken, upstream_timeout, caller_left. */
  next(): Promise<Buffer | undefined>;
  /** The answer is complete: the rest of the body is read in the background. */
  complete(): void;
  /** Nobody wants the rest: the upstream sees its connection closed. */
  abort(): void;
}

/** Cuts a body into runs of whole events. */
export interface EventFramer {
  /** Takes a packet; gives every event that is now complete as one run. @throws where the bytes are no events. */
  push(packet: Uint8Array): Buffer | undefined;
  /** The end of the body: what is left and is whole. */
  end(): Buffer | undefined;
}

/** Reads the events of a body. The time in which nobody asks for the next run is not the upstream's delay. */
export function createEventSource(
  body: ReadableStream<Uint8Array>,
  exchange: Exchange,
  hasData: (run: Buffer) => boolean,
  framer: EventFramer = createServerEventFramer(),
): EventSource {
  const reader = body.getReader();
  const { watchdog } = exchange;
  let over = false;
  let bytes = 0;

  function abort(): void {
    if (over) return;
    over = true;
    exchange.close();
    reader.cancel().catch(() => undefined);
  }

  function handOver(run: Buffer): Buffer {
    if (hasData(run)) watchdog.touch();
    watchdog.pause();
    return run;
  }

  return {
    abort,
    async next() {
      if (over) return undefined;
      watchdog.resume();
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) {
            over = true;
            exchange.settle();
            const tail = framer.end();
            return tail === undefined ? undefined : handOver(tail);
          }
          bytes += value.length;
          if (bytes > MAX_STREAM_BYTES) throw new Error(`The stream is larger than ${MAX_STREAM_BYTES} bytes.`);
          const whole = framer.push(value);
          if (whole !== undefined) return handOver(whole);
        }
      } catch (thrown) {
        const reason = exchange.explain(thrown, 'upstream_broken');
        abort();
        throw reason;
      }
    },
    complete() {
      if (over) return;
      over = true;
      exchange.settle();
      const timer = setTimeout(exchange.close, DRAIN_MS);
      readOn(reader)
        .catch(() => undefined)
        .finally(() => clearTimeout(timer));
    },
  };
}

async function readOn(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  for (;;) if ((await reader.read()).done) return;
}

/** Server-sent events, as most upstreams stream. */
function createServerEventFramer(): EventFramer {
  const framer = createSseFramer();
  return {
    push: framer.push,
    end: () => {
      const tail = framer.end();
      return tail !== undefined && isWhole(tail) ? tail : undefined;
    },
  };
}

/** An event that lacks its blank line at the end of a body is taken where it is whole, not where it was torn. */
function isWhole(run: Uint8Array): boolean {
  return parseSse(run).every(({ data }) => data === '[DONE]' || parseJson(data) !== undefined);
}
