import type { ChunkerSettings } from '../../spec/collection.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { DocumentText } from './prepare-document.ts';
import type { PreparedDocument, TextAnswer, TextTask } from './text-worker.ts';

export interface TextThreadsOptions {
  /** The file of the static embedding model; its tokeniser counts tokens, its table makes vectors. */
  modelPath: string;
  /** A worker without work for so long gives its memory back. Default 15,000. */
  idleMs?: number;
  /** After this a task is given up, with the worker and all that waits for it. Default 120,000. */
  timeoutMs?: number;
  /** Tasks that may wait. Default 64. */
  maxWaiting?: number;
}

/** Text processing of bulk off the event loop, in one worker that lives while there is work. */
export interface TextThreads {
  /**
   * Cuts documents and makes the terms of their chunks, one answer per document, in order.
   * @throws SekishoError overloaded where too much waits, internal where the worker died or took too long.
   */
  prepare(documents: readonly DocumentText[], chunker: ChunkerSettings): Promise<PreparedDocument[]>;
  /** Vectors of texts, in order, and how many tokens they hold. @throws as prepare. */
  encode(texts: readonly string[]): Promise<{ vectors: Float32Array[]; tokens: number }>;
  /** Ends the worker; what is under way fails with storage_unavailable. A later task starts another. */
  close(): void;
}

/** What a task is, without the frame around it. */
type Ask =
  | { kind: 'prepare'; chunker: ChunkerSettings; documents: readonly DocumentText[] }
  | { kind: 'encode'; texts: readonly string[] };

interface Waiter {
  resolve: (answer: TextAnswer) => void;
  reject: (error: SekishoError) => void;
}

/** One worker: the store's own threads and the event loop are what else an ingest keeps busy. */
export function createTextThreads(options: TextThreadsOptions): TextThreads {
  const { modelPath, idleMs = 15_000, timeoutMs = 120_000, maxWaiting = 64 } = options;
  const waiting = new Map<number, Waiter>();
  let worker: Worker | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastId = 0;

  function end(problem: string, code: 'internal' | 'storage_unavailable' = 'internal'): void {
    clearTimeout(timer);
    worker?.terminate();
    worker = undefined;
    const error = new SekishoError(code, { cause: new Error(`text worker: ${problem}`) });
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }

  /** The task at the front has so long; a worker without one has until it is idle. */
  function watch(): void {
    clearTimeout(timer);
    const isBusy = waiting.size > 0;
    // An idle worker does not keep a process alive.
    if (isBusy) worker?.ref();
    else worker?.unref();
    timer = setTimeout(() => end(isBusy ? `no answer within ${timeoutMs} ms` : 'idle'), isBusy ? timeoutMs : idleMs);
    timer.unref();
  }

  function open(): Worker {
    const opened = new Worker(new URL('./text-worker.ts', import.meta.url));
    opened.addEventListener('message', ({ data }: MessageEvent<TextAnswer>) => {
      const waiter = waiting.get(data.id);
      waiting.delete(data.id);
      watch();
      if ('problem' in data) waiter?.reject(new SekishoError('internal', { cause: new Error(data.problem) }));
      else waiter?.resolve(data);
    });
    opened.addEventListener('error', (event) => {
      event.preventDefault();
      if (worker === opened) end(event.message);
    });
    return opened;
  }

  function ask(task: Ask): Promise<TextAnswer> {
    if (waiting.size >= maxWaiting) {
      const problem = `${maxWaiting} tasks of text processing wait`;
      return Promise.reject(new SekishoError('overloaded', { values: { problem } }));
    }
    worker ??= open();
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      if (waiting.size === 1) watch();
      worker?.postMessage({ id, modelPath, ...task } satisfies TextTask);
    });
  }

  return {
    prepare: async (documents, chunker) => {
      const texts = documents.map(({ title, text, headings }) => ({ title, text, headings }));
      const answer = await ask({ kind: 'prepare', chunker, documents: texts });
      return 'prepared' in answer ? answer.prepared : [];
    },
    encode: async (texts) => {
      const answer = await ask({ kind: 'encode', texts });
      if (!('vectors' in answer)) return { vectors: [], tokens: 0 };
      const { vectors, dimensions, tokens } = answer;
      return { vectors: texts.map((_, at) => vectors.subarray(at * dimensions, (at + 1) * dimensions)), tokens };
    },
    // The stores close with it: what was under way stays pending.
    close: () => end('closed', 'storage_unavailable'),
  };
}
