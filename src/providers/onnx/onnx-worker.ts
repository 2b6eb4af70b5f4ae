import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import type { LocalModel } from './model-folder.ts';
import { pooled, type TokenVectors } from './pooled.ts';

declare const self: {
  onmessage: ((event: { data: OnnxTask }) => void) | null;
  postMessage(answer: OnnxAnswer): void;
};

/** Texts to embed, or pairs of question and text to be scored. The first task of a worker brings its model. */
export interface OnnxTask {
  id: number;
  model?: LocalModel;
  texts: readonly string[];
  /** Present: each text is scored as an answer to it. */
  query?: string;
}

export type OnnxAnswer =
  | { id: number; vectors: Float32Array[]; tokens: number }
  | { id: number; scores: number[]; tokens: number }
  | { id: number; problem: string };

/** Most texts and, about, most tokens of one run: memory grows with both. */
const RUN = { texts: 32, tokens: 4_096 };

interface Loaded {
  model: LocalModel;
  session: InferenceSession;
  tokenizer: Tokenizer;
  tensor: typeof Tensor;
  padId: number;
}

interface Encoded {
  at: number;
  ids: number[];
  types: number[];
}

let loading: Promise<Loaded> | undefined;
let last: Promise<void> = Promise.resolve();

self.onmessage = ({ data: task }): void => {
  if (task.model !== undefined) loading ??= load(task.model);
  // One after the other: each run uses every thread it may.
  last = last.then(() => answer(task)).then((told) => self.postMessage(told));
};

async function answer(task: OnnxTask): Promise<OnnxAnswer> {
  try {
    if (loading === undefined) throw new Error('no model was named');
    const loaded = await loading;
    const encoded = task.texts
      .map((text, at) => encodedOf(loaded, text, at, task.query))
      .sort((a, b) => a.ids.length - b.ids.length);
    const tokens = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
    const vectors: Float32Array[] = [];
    const scores: number[] = [];
    for (const run of runsOf(encoded)) {
      const output = await runOn(loaded, run);
      run.forEach(({ at, ids }, row) => {
        if (task.query === undefined) vectors[at] = pooled(output, { row, length: ids.length }, loaded.model.pooling);
        else scores[at] = scoreOf(output, row);
      });
    }
    return task.query === undefined ? { id: task.id, vectors, tokens } : { id: task.id, scores, tokens };
  } catch (thrown) {
    return { id: task.id, problem: thrown instanceof Error ? thrown.message.slice(0, 1_000) : 'unknown' };
  }
}

async function load(model: LocalModel): Promise<Loaded> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node').catch((cause: unknown) => {
    throw new Error('onnxruntime-node is not installed: npm install onnxruntime-node', { cause });
  });
  const session = await InferenceSession.create(model.onnx, { graphOptimizationLevel: 'all' });
  const tokenizer = new Tokenizer(
    jsonOf(model.folder, 'tokenizer.json'),
    jsonOf(model.folder, 'tokenizer_config.json'),
  );
  const padId = model.padToken === undefined ? undefined : tokenizer.token_to_id(model.padToken);
  return { model, session, tokenizer, tensor: Tensor, padId: padId ?? 0 };
}

function jsonOf(folder: string, file: string): JsonObject {
  const json = parseJson(readFileSync(join(folder, file), 'utf8'));
  if (!isJsonObject(json)) throw new Error(`${file} is not JSON`);
  return json;
}

/** Token ids, cut to what the model takes; the mark that ends a text stays at the end. */
function encodedOf({ tokenizer, model }: Loaded, text: string, at: number, query: string | undefined): Encoded {
  const encoding =
    query === undefined
      ? tokenizer.encode(text, { return_token_type_ids: true })
      : tokenizer.encode(query, { text_pair: text, return_token_type_ids: true });
  const { ids, token_type_ids: types } = encoding;
  if (ids.length <= model.maxTokens) return { at, ids, types };
  const cut = (values: number[]): number[] => [...values.slice(0, model.maxTokens - 1), ...values.slice(-1)];
  return { at, ids: cut(ids), types: cut(types) };
}

/** Texts of like length run together, so that little is padded. */
function* runsOf(encoded: readonly Encoded[]): Generator<Encoded[]> {
  let run: Encoded[] = [];
  for (const each of encoded) {
    const wide = (run.length + 1) * each.ids.length;
    if (run.length > 0 && (run.length >= RUN.texts || wide > RUN.tokens)) {
      yield run;
      run = [];
    }
    run.push(each);
  }
  if (run.length > 0) yield run;
}

async function runOn({ session, tensor, padId }: Loaded, run: readonly Encoded[]): Promise<TokenVectors> {
  const width = Math.max(...run.map(({ ids }) => ids.length));
  const filled = (of: (each: Encoded) => readonly number[], rest: number): Tensor => {
    const data = new BigInt64Array(run.length * width).fill(BigInt(rest));
    run.forEach((each, row) => of(each).forEach((value, column) => (data[row * width + column] = BigInt(value))));
    return new tensor('int64', data, [run.length, width]);
  };
  const feeds: Record<string, Tensor> = {};
  for (const name of session.inputNames) {
    if (name === 'input_ids') feeds[name] = filled(({ ids }) => ids, padId);
    else if (name === 'attention_mask') feeds[name] = filled(({ ids }) => ids.map(() => 1), 0);
    else if (name === 'token_type_ids') feeds[name] = filled(({ types }) => types, 0);
    else throw new Error(`the model wants the input ${name}, which no text has`);
  }
  const outputs = await session.run(feeds);
  const wanted = ['sentence_embedding', 'logits', 'last_hidden_state'].find((name) => name in outputs);
  const output = outputs[wanted ?? session.outputNames[0] ?? ''];
  if (output === undefined || !(output.data instanceof Float32Array)) throw new Error('the model gives no numbers');
  return { data: output.data, shape: output.dims };
}

/** 0 to 1: the logistic of the one logit, or the share of the second of two. */
function scoreOf({ data, shape }: TokenVectors, row: number): number {
  const labels = shape.at(-1) ?? 1;
  const logit = data[row * labels + labels - 1] ?? 0;
  return 1 / (1 + Math.exp((labels > 1 ? (data[row * labels] ?? 0) : 0) - logit));
}
