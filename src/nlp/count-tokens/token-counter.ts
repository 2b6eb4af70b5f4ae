import { approximateTokens } from '../../lib/approximate-tokens.ts';
import type { CountAnswer, CountTask } from './count-worker.ts';
import { familyOf, type Encoding } from './model-family.ts';

/** Counts tokens as the model will, or a little above. */
export interface TokenCounter {
  /**
   * Tokens of each text, in order, margin included. Counting ends once the sum is above `stopAbove`: the answer is
   * then shorter than the texts, and its last count may be too low.
   */
  count(model: string, texts: readonly string[], stopAbove?: number): Promise<number[]>;
  /** A bound that costs next to nothing: no tokeniser makes more tokens than a text has bytes. */
  atMost(model: string, text: string): number;
  /** Ends the worker; a later count starts another. */
  close(): void;
}

export interface TokenCounterOptions {
  /** After this a text that is still being counted is approximated. Default 3,000. */
  timeoutMs?: number;
  /** After this without work the tables are given back, about 100 MB. Default 300,000. */
  idleMs?: number;
}

/** Exact counting of more than this is not worth its time: the rest is taken by approximation. */
const MAX_EXACT_LENGTH = 2_000_000;

/**
 * Counts with the model's own tokeniser where it is public, in a worker, because loading its tables stops the thread
 * for a third of a second; otherwise, and where the worker does not answer in time, by approximation.
 */
export function createTokenCounter(options: TokenCounterOptions = {}): TokenCounter {
  const { timeoutMs = 3_000, idleMs = 300_000 } = options;
  const waiting = new Map<number, (counts: number[] | undefined) => void>();
  let worker: Worker | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let lastId = 0;

  function close(): void {
    clearTimeout(idle);
    worker?.terminate();
    worker = undefined;
    for (const answer of waiting.values()) answer(undefined);
    waiting.clear();
  }

  function open(): Worker {
    const opened = new Worker(new URL('./count-worker.ts', import.meta.url));
    opened.addEventListener('message', ({ data }: MessageEvent<CountAnswer>) => {
      waiting.get(data.id)?.(data.counts);
    });
    opened.addEventListener('error', close);
    opened.unref();
    return opened;
  }

  function ask(task: Omit<CountTask, 'id'>): Promise<number[] | undefined> {
    worker ??= open();
    clearTimeout(idle);
    const id = ++lastId;
    return new Promise<number[] | undefined>((resolve) => {
      // A worker that is busy with something hopeless is replaced, with all that waits for it.
      const timer = setTimeout(close, timeoutMs);
      waiting.set(id, (counts) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(counts);
      });
      worker?.postMessage({ id, ...task } satisfies CountTask);
    }).finally(() => {
      if (waiting.size > 0) return;
      clearTimeout(idle);
      idle = setTimeout(close, idleMs);
      idle.unref();
    });
  }

  async function exact(encoding: Encoding, texts: readonly string[], stopAbove: number): Promise<number[]> {
    let length = 0;
    const short = texts.findIndex((text) => (length += text.length) > MAX_EXACT_LENGTH);
    const counted = short === -1 ? texts : texts.slice(0, short);
    const counts = counted.length === 0 ? [] : await ask({ encoding, texts: counted, stopAbove });
    if (counts === undefined) return approximate(texts, stopAbove);
    const sum = counts.reduce((total, count) => total + count, 0);
    if (counts.length < counted.length || sum > stopAbove || short === -1) return counts;
    return [...counts, ...approximate(texts.slice(short), stopAbove - sum)];
  }

  return {
    count: async (model, texts, stopAbove = Number.MAX_SAFE_INTEGER) => {
      const { encoding, factor } = familyOf(model);
      const bare = stopAbove / factor;
      const counts = await (encoding === undefined
        ? Promise.resolve(approximate(texts, bare))
        : exact(encoding, texts, bare));
      return counts.map((count) => Math.ceil(count * factor));
    },
    atMost: (model, text) => Math.ceil(Buffer.byteLength(text) * familyOf(model).factor),
    close,
  };
}

function approximate(texts: readonly string[], stopAbove: number): number[] {
  const counts: number[] = [];
  let left = stopAbove;
  for (const text of texts) {
    const count = approximateTokens(text, left);
    counts.push(count);
    left -= count;
    if (left < 0) break;
  }
  return counts;
}
