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

interface Slot {
  worker: Worker;
  readBytes: number;
  idle?: ReturnType<typeof setTimeout>;
  /** Ends the task under way, if there is one. */
  onAnswer?: (answer: ParseAnswer) => void;
}

/** A pool of parse workers. They start when there is work, and are ended with whatever hangs in them. */
export function createParsePool(options: ParsePoolOptions = {}): ParsePool {
  const { workers = 2, maxWaiting = 1_000, timeoutMs = 60_000, totalTimeoutMs = 600_000, idleMs = 30_000 } = options;
  const slots = new Set<Slot>();
  const free: Slot[] = [];
  const waiting: ((slot: Slot) => void)[] = [];

  function open(): Slot {
    const slot: Slot = { worker: new Worker(new URL('./parse-worker.ts', import.meta.url)), readBytes: 0 };
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
    else if (slots.has(slot)) {
      free.push(slot);
      slot.idle = setTimeout(() => end(slot), idleMs);
      slot.idle.unref();
    }
  }

  function work(slot: Slot, task: ParseTask, onPart: (part: ParsedPart) => void): Promise<void> {
    slot.readBytes += task.bytes.length;
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
      for (const slot of slots) {
        end(slot);
        slot.onAnswer?.({ problem: 'the process ends' });
      }
    },
  };
}
