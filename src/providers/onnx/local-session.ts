import { SekishoError } from '../../spec/errors.ts';
import type { LocalModel } from './model-folder.ts';
import type { OnnxAnswer, OnnxTask } from './onnx-worker.ts';

/** A model in a worker of its own, which starts with the first task and ends when nobody has asked for a while. */
export interface LocalSession {
  embed(texts: readonly string[], call: SessionCall): Promise<{ vectors: Float32Array[]; tokens: number }>;
  score(query: string, texts: readonly string[], call: SessionCall): Promise<{ scores: number[]; tokens: number }>;
  close(): void;
}

export interface SessionCall {
  target: string;
  signal: AbortSignal;
}

/** Tasks that wait for the worker at most: each may hold a whole request. */
const MOST_WAITING = 256;

interface Waiting {
  answered: (answer: OnnxAnswer) => void;
  failed: (error: Error) => void;
}

/** Errors of a session's verbs: upstream_broken with the model's reason, overloaded, caller_left. */
export function createLocalSession(model: LocalModel, { idleMs }: { idleMs: number }): LocalSession {
  let worker: Worker | undefined;
  let idle: Timer | undefined;
  let count = 0;
  const waiting = new Map<number, Waiting>();

  function end(problem?: string): void {
    clearTimeout(idle);
    worker?.terminate();
    worker = undefined;
    for (const { failed } of waiting.values()) failed(new Error(problem ?? 'the model was put away'));
    waiting.clear();
  }

  function started(): { running: Worker; isNew: boolean } {
    if (worker !== undefined) return { running: worker, isNew: false };
    const made = new Worker(new URL('./onnx-worker.ts', import.meta.url));
    made.unref();
    made.addEventListener('message', ({ data }: MessageEvent<OnnxAnswer>) => {
      waiting.get(data.id)?.answered(data);
      waiting.delete(data.id);
      // A model that could not be loaded is tried anew with the next task: its folder may have been mended.
      if ('problem' in data && waiting.size === 0) end();
    });
    made.addEventListener('error', (event) => {
      if (worker === made) end(event.message);
    });
    worker = made;
    return { running: made, isNew: true };
  }

  async function ask(task: Omit<OnnxTask, 'id' | 'model'>, { target, signal }: SessionCall): Promise<OnnxAnswer> {
    if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
    if (waiting.size >= MOST_WAITING) throw new SekishoError('overloaded');
    clearTimeout(idle);
    const { running, isNew } = started();
    const id = ++count;
    let leave: () => void = () => undefined;
    try {
      const answer = await new Promise<OnnxAnswer>((resolve, reject) => {
        waiting.set(id, { answered: resolve, failed: reject });
        leave = () => reject(new SekishoError('caller_left', { cause: signal.reason }));
        signal.addEventListener('abort', leave, { once: true });
        running.postMessage({ id, ...task, ...(isNew && { model }) } satisfies OnnxTask);
      });
      if ('problem' in answer) throw new Error(answer.problem);
      return answer;
    } catch (thrown) {
      if (thrown instanceof SekishoError) throw thrown;
      throw new SekishoError('upstream_broken', { values: { target }, cause: thrown });
    } finally {
      signal.removeEventListener('abort', leave);
      waiting.delete(id);
      if (waiting.size === 0) {
        idle = setTimeout(() => end(), idleMs);
        idle.unref();
      }
    }
  }

  return {
    embed: async (texts, call) => {
      const answer = await ask({ texts }, call);
      if ('vectors' in answer) return answer;
      throw new SekishoError('upstream_broken', { values: { target: call.target } });
    },
    score: async (query, texts, call) => {
      const answer = await ask({ texts, query }, call);
      if ('scores' in answer) return answer;
      throw new SekishoError('upstream_broken', { values: { target: call.target } });
    },
    close: () => end(),
  };
}
