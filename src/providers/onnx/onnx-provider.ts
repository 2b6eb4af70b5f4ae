import type { Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { noUsage } from '../../spec/usage.ts';
import { createLocalSession, type LocalSession, type SessionCall } from './local-session.ts';
import { findLocalModels, type LocalModel } from './model-folder.ts';

export interface OnnxProviderOptions {
  name: string;
  /** Each folder below it that holds an ONNX model is one, under the folder's name. */
  folder: string;
}

export interface OnnxProvider extends Provider {
  /** What the folder holds now. */
  models(): readonly LocalModel[];
  /** Names the model of a route `<provider>/<model>` and its weights; undefined where it is none of these. */
  fingerprintOf(route: string): string | undefined;
  /** Puts every model away. */
  close(): void;
}

/** A model leaves memory when nobody has asked for it so long. */
const IDLE_MS = 10 * 60_000;
/** Texts per task: others get their turn in between. */
const AT_ONCE = 64;
/** How long what the folder was seen to hold is believed. */
const SEEN_MS = 2_000;

/**
 * Embedding and rerank models that run inside this process, off the event loop, from a folder on disk.
 * Errors: upstream_not_found for a model that the folder does not hold or that is of the other kind,
 * upstream_broken with the reason where it cannot run, unsupported_parameter for `dimensions`, caller_left.
 */
export function createOnnxProvider({ name, folder }: OnnxProviderOptions): OnnxProvider {
  const sessions = new Map<string, { stamp: string; session: LocalSession }>();
  let seen: { atMs: number; models: LocalModel[] } | undefined;

  function models(): LocalModel[] {
    const nowMs = performance.now();
    if (seen === undefined || nowMs - seen.atMs > SEEN_MS) seen = { atMs: nowMs, models: findLocalModels(folder) };
    return seen.models;
  }

  function sessionOf(wanted: string, kind: LocalModel['kind'], target: string) {
    const model = models().find((each) => each.name === wanted && each.kind === kind);
    if (model === undefined) throw new SekishoError('upstream_not_found', { values: { target } });
    const known = sessions.get(wanted);
    if (known?.stamp === model.stamp) return { model, session: known.session };
    known?.session.close();
    const session = createLocalSession(model, { idleMs: IDLE_MS });
    sessions.set(wanted, { stamp: model.stamp, session });
    return { model, session };
  }

  return {
    name,
    wire: 'onnx',
    models,
    fingerprintOf: (route) => {
      const model = models().find((each) => `${name}/${each.name}` === route);
      return model && `${route}@${model.stamp}`;
    },
    close: () => {
      for (const { session } of sessions.values()) session.close();
      sessions.clear();
    },
    async embed(call) {
      const { input, dimensions, purpose } = call.request;
      const { model, session } = sessionOf(call.model, 'embedding', call.target);
      if (dimensions !== undefined) {
        const values = { route: call.target, parameters: 'dimensions' };
        throw new SekishoError('unsupported_parameter', { values, param: 'dimensions' });
      }
      const prefix = purpose === undefined ? '' : model.prefixes[purpose];
      const made = await inSlices(input, (texts) =>
        session.embed(
          texts.map((text) => prefix + text),
          call,
        ),
      );
      const usage = { ...noUsage('reported'), inputTokens: made.reduce((sum, { tokens }) => sum + tokens, 0) };
      return { usage, result: () => ({ model: call.model, vectors: made.flatMap(({ vectors }) => vectors), usage }) };
    },
    async rerank(call) {
      const { query, documents, topN } = call.request;
      const { session } = sessionOf(call.model, 'rerank', call.target);
      const made = await inSlices(documents, (texts) => session.score(query, texts, call satisfies SessionCall));
      const results = made
        .flatMap(({ scores }) => scores)
        .map((score, index) => ({ index, score }))
        .sort((a, b) => b.score - a.score || a.index - b.index)
        .slice(0, topN);
      const usage = { ...noUsage('reported'), inputTokens: made.reduce((sum, { tokens }) => sum + tokens, 0) };
      return { id: newId('rerank'), model: call.model, results, usage };
    },
    listModels: () => Promise.resolve(models().map((model) => model.name)),
  };
}

async function inSlices<T>(texts: readonly string[], work: (slice: readonly string[]) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  for (let from = 0; from < texts.length; from += AT_ONCE) done.push(await work(texts.slice(from, from + AT_ONCE)));
  return done;
}
