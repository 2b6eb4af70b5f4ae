import type { Sleep } from '../lib/sleep.ts';

/** What became of a batch: lines to be tried again, and how many were refused for good. */
export interface Delivery {
  again: readonly string[];
  lost: number;
}

/** Takes lines (each with its line feed) to where they go. Rejects where all of them should be tried again. */
export type Deliver = (lines: readonly string[], signal: AbortSignal) => Promise<Delivery>;

export interface LineBufferOptions {
  deliver: Deliver;
  /** What waits at most; beyond it the oldest line is dropped. */
  maxLines: number;
  maxBytes: number;
  /** What goes out at once at most. */
  batchLines: number;
  batchBytes: number;
  /** Bytes from which lines go out without waiting for the next turn of the timer. */
  hurryBytes: number;
  waitMs: number;
  sleep: Sleep;
  /** Uniform in [0, 1); spreads retries. */
  random: () => number;
  /** Told of each failed delivery. */
  onTrouble: (error: unknown) => void;
}

/** Lines on their way out. No verb ever waits for the outside but `close`. */
export interface LineBuffer {
  push(line: string): void;
  /** Lets go out what waits, now. */
  hurry(): void;
  /** Delivers what waits, for as long as the limit allows; what is left then counts as dropped. */
  close(limitMs: number): Promise<void>;
  dropped(): number;
}

const BASE_DELAY_MS = 200;
const MAX_DELAY_MS = 30_000;

/**
 * A bounded queue of lines and the one loop that empties it. A failed batch is tried again after an
 * exponential delay with jitter while new lines queue up behind it; when the queue is full, the oldest go.
 */
export function createLineBuffer(options: LineBufferOptions): LineBuffer {
  const { deliver, maxLines, maxBytes, batchLines, batchBytes, hurryBytes } = options;
  let queue: string[] = [];
  let head = 0;
  let bytes = 0;
  let lost = 0;
  let running: Promise<void> | undefined;
  let failures = 0;
  let retry: readonly string[] = [];
  /** Lines of the batch that is being delivered. */
  let flying = 0;
  const waking = new AbortController();
  const ending = new AbortController();
  let closing = false;
  const timer = setInterval(hurry, options.waitMs);
  timer.unref();

  function hurry(): void {
    if (running === undefined && (head < queue.length || retry.length > 0)) {
      running = run().finally(() => {
        running = undefined;
      });
    }
  }

  /** Takes the oldest line off the queue. */
  function shift(): string | undefined {
    const line = queue[head];
    if (line === undefined) return undefined;
    head++;
    bytes -= Buffer.byteLength(line);
    if (head >= 1_024 && head * 2 >= queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
    return line;
  }

  function take(): string[] {
    const batch: string[] = [];
    for (let size = 0; batch.length < batchLines && size < batchBytes;) {
      const line = shift();
      if (line === undefined) break;
      batch.push(line);
      size += Buffer.byteLength(line);
    }
    return batch;
  }

  async function run(): Promise<void> {
    while ((retry.length > 0 || head < queue.length) && !ending.signal.aborted) {
      const batch = retry.length > 0 ? retry : take();
      retry = [];
      flying = batch.length;
      try {
        const delivery = await deliver(batch, ending.signal);
        lost += delivery.lost;
        retry = delivery.again;
        failures = retry.length === 0 ? 0 : failures + 1;
      } catch (error) {
        retry = batch;
        failures++;
        options.onTrouble(error);
      }
      // After the end nobody waits for this batch any more: it was counted as it flew.
      if (ending.signal.aborted) retry = [];
      else flying = 0;
      if (failures > 0) await pause();
    }
  }

  /** A waking call or the end cuts the pause short. */
  async function pause(): Promise<void> {
    const longestMs = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** Math.min(10, failures - 1));
    const delayMs = closing ? Math.min(50, longestMs) : longestMs * (0.5 + options.random() / 2);
    await options
      .sleep(delayMs, closing ? ending.signal : AbortSignal.any([waking.signal, ending.signal]))
      .catch(() => undefined);
  }

  return {
    push: (line) => {
      if (closing) {
        lost++;
        return;
      }
      const size = Buffer.byteLength(line);
      while (head < queue.length && (queue.length - head >= maxLines || bytes + size > maxBytes)) {
        shift();
        lost++;
      }
      queue.push(line);
      bytes += size;
      if (bytes >= hurryBytes && running === undefined) hurry();
    },
    hurry,
    close: async (limitMs) => {
      clearInterval(timer);
      closing = true;
      waking.abort();
      const limit = setTimeout(() => ending.abort(), limitMs);
      while ((retry.length > 0 || head < queue.length || running !== undefined) && !ending.signal.aborted) {
        hurry();
        await Promise.race([running, aborted(ending.signal)]);
      }
      clearTimeout(limit);
      ending.abort();
      lost += flying + retry.length + queue.length - head;
      retry = [];
      queue = [];
      head = 0;
      bytes = 0;
    },
    dropped: () => lost,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
