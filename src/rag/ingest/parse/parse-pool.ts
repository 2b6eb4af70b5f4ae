import { SekishoError } from '../../../spec/errors.ts';
import type { ParseAnswer, ParseTask } from './parse-worker.ts';
import { UnreadableFile, type ParsedPart } from './parsed.ts';

export interface ParsePoolOptions {
  /** Workers at most, and so files that are read at once. Default 2. */
  workers?: number;
  /** Files that may wait for a worker. Default 1,000. */
  maxWaiting?: number;
  /** Time without a sign of progress after which a file is given up and its worker ended. Default 60,000. */
  timeoutMs?: number;
  /** Time after which a file is given up whatever its progress. Default 600,000. */
  totalTimeoutMs?: number;
  /** A worker without work for so long gives its memory back. Default 30,000. */
  idleMs?: number;
  /** What the process may grow by while files are read, in bytes. Default 1 GiB. */
  maxGrowthBytes?: number;
  /** Memory that the process holds now, in bytes. */
  residentBytes?: () => number;
}

/** Reads files off the event loop, a few at a time. */
export interface ParsePool {
  /**
   * Reads one file; what it holds is told part by part.
   * @throws UnreadableFile with the reason; parts told before stay read.
   * @throws SekishoError overloaded where too many files wait.
   */
  read(task: ParseTask, onPart: (part: ParsedPart) => void): Promise<void>;
  /** Ends the workers; files under way fail. */
  close(): void;
}

/** A worker that has read so much is replaced: its heap has grown by then and does not shrink. */
const BYTES_PER_WORKER = 128 * 1024 * 1024;
/** How often memory is looked at while files are read. */
const WATCH_MS = 200;

interface Slot {
  worker: Worker;
  readBytes: number;
  /** When its task began, in order. */
  turn: number;
  idle?: ReturnType<typeof setTimeout>;
  /** Ends the task under way, if there is one. */
  onAnswer?: (answer: ParseAnswer) => void;
}

/** A pool of parse workers. They start when there is work, and are ended with whatever hangs in them. */
export function createParsePool(options: ParsePoolOptions = {}): ParsePool {
  const residentBytes = options.residentBytes ?? ((): number => process.memoryUsage.rss());
  const maxGrowthBytes = options.maxGrowthBytes ?? 1024 ** 3;
  const { workers = 2, maxWaiting = 1_000, timeoutMs = 60_000, totalTimeoutMs = 600_000, idleMs = 30_000 } = options;
  const slots = new Set<Slot>();
  const free: Slot[] = [];
  const waiting: ((slot: Slot) => void)[] = [];
  let lastTurn = 0;
  let closed = false;
  let watch: ReturnType<typeof setInterval> | undefined;
  let floorBytes = 0;

  /**
   * What a file unpacks to inside a library cannot be bounded beforehand. The file that has been read for longest is
   * taken to be the one that grows; if it was not, the other's turn comes next.
   */
  function lookAtMemory(): void {
    const now = residentBytes();
    floorBytes = Math.min(floorBytes, now);
    if (now - floorBytes <= maxGrowthBytes) return;
    const [oldest] = [...slots].filter(({ onAnswer }) => onAnswer !== undefined).sort((a, b) => a.turn - b.turn);
    if (oldest === undefined) return;
    floorBytes = now;
    end(oldest);
    oldest.onAnswer?.({ problem: 'reading it takes too much memory' });
  }

  function open(): Slot {
    const slot: Slot = { worker: new Worker(new URL('./parse-worker.ts', import.meta.url)), readBytes: 0, turn: 0 };
    slot.worker.addEventListener('message', ({ data }: MessageEvent<ParseAnswer>) => slot.onAnswer?.(data));
    slot.worker.addEventListener('error', (event) => {
      event.preventDefault();
      end(slot);
      slot.onAnswer?.({ problem: 'it is damaged' });
    });
    slot.worker.unref();
    slots.add(slot);
    return slot;
  }

  function end(slot: Slot): void {
    clearTimeout(slot.idle);
    slot.worker.terminate();
    slots.delete(slot);
    const at = free.indexOf(slot);
    if (at !== -1) free.splice(at, 1);
  }

  async function take(): Promise<Slot> {
    const slot = free.pop() ?? (slots.size < workers ? open() : undefined);
    if (slot !== undefined) {
      clearTimeout(slot.idle);
      return slot;
    }
    if (waiting.length >= maxWaiting) {
      throw new SekishoError('overloaded', { values: { problem: `${maxWaiting} files wait to be read` } });
    }
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** Hands the worker, or a new one in place of one that has ended or has grown, to the next in line. */
  function give(slot: Slot): void {
    if (slots.has(slot) && slot.readBytes > BYTES_PER_WORKER) end(slot);
    const next = waiting.shift();
    if (next !== undefined) next(slots.has(slot) ? slot : open());
    else {
      const busy = [...slots].some(({ onAnswer }) => onAnswer !== undefined);
      if (!busy) {
        clearInterval(watch);
        watch = undefined;
      }
    }
    if (next === undefined && slots.has(slot)) {
      free.push(slot);
      slot.idle = setTimeout(() => end(slot), idleMs);
      slot.idle.unref();
    }
  }

  function work(slot: Slot, task: ParseTask, onPart: (part: ParsedPart) => void): Promise<void> {
    if (closed) return Promise.reject(new UnreadableFile('the process ends'));
    slot.readBytes += task.bytes.length;
    slot.turn = ++lastTurn;
    if (watch === undefined) {
      floorBytes = residentBytes();
      watch = setInterval(lookAtMemory, WATCH_MS);
      watch.unref();
    }
    return new Promise<void>((resolve, reject) => {
      const giveUp = (ms: number) => (): void => {
        end(slot);
        slot.onAnswer?.({ problem: `reading it took longer than ${ms} ms` });
      };
      let stalled = setTimeout(giveUp(timeoutMs), timeoutMs);
      const total = setTimeout(giveUp(totalTimeoutMs), totalTimeoutMs);
      slot.onAnswer = (answer) => {
        clearTimeout(stalled);
        if ('part' in answer) {
          stalled = setTimeout(giveUp(timeoutMs), timeoutMs);
          onPart(answer.part);
          return;
        }
        clearTimeout(total);
        delete slot.onAnswer;
        if ('problem' in answer) reject(new UnreadableFile(answer.problem));
        else resolve();
      };
      slot.worker.postMessage(task);
    });
  }

  return {
    read: async (task, onPart) => {
      const slot = await take();
      try {
        await work(slot, task, onPart);
      } finally {
        give(slot);
      }
    },
    close: () => {
      closed = true;
      for (const slot of slots) {
        end(slot);
        slot.onAnswer?.({ problem: 'the process ends' });
      }
    },
  };
}
