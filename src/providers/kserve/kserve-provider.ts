import { stringAt, type JsonObject } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChatAnswer, ChatCall, ChatStream, Provider, StreamFrame } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { bearsData } from '../kit/bears-data.ts';
import { createDecodingReader } from '../kit/decoding-reader.ts';
import { estimateEmbeddingUsage, estimateUsage } from '../kit/estimate-usage.ts';
import type { FetchMedia } from '../kit/fetch-media.ts';
import type { Reach } from '../kit/reach.ts';
import { streamFrames } from '../kit/stream-frames.ts';
import { uncarried } from '../kit/uncarried.ts';
import { errorInAnswer } from '../kit/upstream-error.ts';
import { createUpstream, type Timeouts } from '../kit/upstream.ts';
import { wholeAsFrames } from '../kit/whole-as-frames.ts';
import { encodeText } from './encode.ts';
import { kserveError } from './errors.ts';
import { inferText, textAnswerIn } from './infer-text.ts';
import { modelPath } from './model-path.ts';
import { createOutcome, tellsReason } from './outcome.ts';
import { createRepository } from './repository.ts';
import { createResidentModels } from './resident-models.ts';
import { createClosingFramer, createTextDecoder } from './stream.ts';
import { batchOf, tensorsIn, textTensor, vectorsIn, type Tensor } from './tensors.ts';

export interface KserveProviderOptions {
  name: string;
  /** Without the version: http://triton:8000. */
  baseUrl: string;
  credential?: Secret;
  headers?: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  reach?: Reach;
  /** Not needed: the wire carries no images. */
  fetchMedia?: FetchMedia;
  /** Unloads a model that nobody has called for so long. Absent: models stay loaded. */
  idleUnloadMs?: number;
  /** How long a model may take to load. */
  loadMs?: number;
  /** Calls `act` after `ms`; gives what calls it off. */
  after?: (ms: number, act: () => void) => () => void;
  nowMs?: () => number;
}

const LOAD_MS = 300_000;
/** Of more models than this the oldest knowledge is forgotten. */
const MAX_MODELS = 1_000;

/** A server of the Open Inference Protocol, version 2, over HTTP: Triton, KServe, MLServer and others. */
export function createKserveProvider(options: KserveProviderOptions): Provider {
  const { name, nowMs = Date.now, after = byTimer, loadMs = LOAD_MS } = options;
  const base = options.baseUrl.replace(/(?:\/v2)?\/?$/, '');
  const upstreamWith = (timeouts: Timeouts) =>
    createUpstream({
      timeouts,
      ...(options.reach && { reach: options.reach }),
      hasData: bearsData,
      framer: createClosingFramer,
      refusal: kserveError,
      headers: () => ({
        ...(options.credential && { authorization: `Bearer ${options.credential.reveal()}` }),
        ...options.headers,
      }),
    });
  const upstream = upstreamWith(options.timeouts);
  const patient = upstreamWith({ ...options.timeouts, firstByteMs: loadMs, betweenDataMs: loadMs });
  const repository = createRepository({ name, base, upstream, patient });
  const models = createResidentModels({ repository, idleUnloadMs: options.idleUnloadMs, loadMs, after });
  const known = new Map<string, { inputs: Tensor[]; outputs: Tensor[] }>();
  /** Models of servers without Triton's generate extension. */
  const inferOnly = new Set<string>();

  type Call = { model: string; target: string; signal: AbortSignal };

  /** Calls with the model loaded; once more where the server has unloaded it behind our back. */
  async function loaded<T>(call: Call, act: (done: () => void) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const done = await models.enter(call.model, call);
      try {
        return await act(done);
      } catch (thrown) {
        done();
        if (!(thrown instanceof SekishoError && thrown.code === 'upstream_not_found')) throw thrown;
        models.forget(call.model);
        known.delete(call.model);
        if (attempt > 0) throw thrown;
      }
    }
  }

  async function tensorsOf({ model, target, signal }: Call): Promise<{ inputs: Tensor[]; outputs: Tensor[] }> {
    const found = known.get(model);
    if (found !== undefined) return found;
    const { json } = await upstream.json({ url: base + modelPath(model), target, signal });
    const tensors = { inputs: tensorsIn(json, 'inputs'), outputs: tensorsIn(json, 'outputs') };
    if (known.size >= MAX_MODELS) known.delete(known.keys().next().value ?? '');
    known.set(model, tensors);
    return tensors;
  }

  const infer = async ({ model, target, signal }: Call, body: JsonObject): Promise<JsonObject> => {
    const url = `${base}${modelPath(model)}/infer`;
    const { json } = await upstream.json({ url, body: JSON.stringify(body), target, signal });
    if (json['error'] !== undefined && json['error'] !== null) throw errorInAnswer(target, json['error']);
    return json;
  };

  /** The answer by Triton's extension, or by tensors where the server has none. */
  async function generate(call: ChatCall): Promise<JsonObject> {
    const { model, target, signal } = call;
    const { inputs, outputs } = await tensorsOf(call);
    const { prompt, parameters } = encodeText(call.request(), call, inputs);
    let refused: unknown;
    if (!inferOnly.has(model)) {
      try {
        const url = `${base}${modelPath(model)}/generate`;
        const body = JSON.stringify({ text_input: prompt, parameters: { ...parameters, stream: false } });
        const { json } = await upstream.json({ url, body, target, signal });
        if (json['error'] !== undefined && json['error'] !== null) throw errorInAnswer(target, json['error']);
        return json;
      } catch (thrown) {
        // MLServer takes tensors at the extension's address as well, and rejects everything else.
        if (isRejection(thrown)) refused = thrown;
        else if (!(await lacksGenerate(thrown, call))) throw thrown;
      }
    }
    const body = inferText({ prompt, parameters }, { inputs, outputs });
    if (body === undefined) throw refused ?? failed(target, 'the model takes or gives no text');
    const json = await infer(call, body.request).catch((thrown: unknown) => {
      throw refused ?? thrown;
    });
    if (refused !== undefined) inferOnly.add(model);
    return textAnswerIn(json, body.output);
  }

  /** A 404 of the extension's address, while the model itself is there. */
  async function lacksGenerate(thrown: unknown, { model, signal }: Call): Promise<boolean> {
    if (!(thrown instanceof SekishoError && thrown.code === 'upstream_not_found')) return false;
    if ((await repository.state(model, signal)) !== 'ready') return false;
    inferOnly.add(model);
    return true;
  }

  async function answerOf(call: ChatCall): Promise<ChatAnswer> {
    const json = await generate(call);
    const text = stringAt(json, 'text_output') ?? failed(call.target, 'no text_output');
    const outcome = createOutcome();
    outcome.add(json);
    const usage = outcome.usage ?? (await estimateUsage(call.request, text));
    const finish = outcome.finish ?? 'stop';
    const createdMs = nowMs();
    const id = newId('gen', createdMs);
    const parts = text === '' ? [] : [{ type: 'text' as const, text }];
    return { usage, result: () => ({ id, model: call.model, createdMs, parts, finish, usage }) };
  }

  async function open(call: ChatCall): Promise<AsyncIterable<StreamFrame>> {
    const { model, target, signal } = call;
    const { inputs } = await tensorsOf(call);
    const whole = async (): Promise<AsyncIterable<StreamFrame>> => wholeAsFrames((await answerOf(call)).result());
    if (inferOnly.has(model)) return whole();
    const { prompt, parameters } = encodeText(call.request(), call, inputs);
    const url = `${base}${modelPath(model)}/generate_stream`;
    const body = JSON.stringify({ text_input: prompt, parameters: { ...parameters, stream: true } });
    try {
      const opened = await upstream.stream({ url, body, target, signal });
      if (!('source' in opened)) return failed(target, `not a stream: ${opened.text.slice(0, 500)}`);
      const id = newId('gen', nowMs());
      const decoder = createTextDecoder({ target, model, id, nowMs, tellsReason: tellsReason(inputs) });
      const estimate = (answered: string) => estimateUsage(call.request, answered);
      return streamFrames(opened, target, createDecodingReader(target, decoder, estimate));
    } catch (thrown) {
      if (!isRejection(thrown) && !(await lacksGenerate(thrown, call))) throw thrown;
      return whole();
    }
  }

  return {
    name,
    wire: 'kserve',
    repository,

    chat: (call) =>
      loaded(call, async (done) => {
        const answer = await answerOf(call);
        done();
        return answer;
      }),

    streamChat: (call): Promise<ChatStream> =>
      loaded(call, async (done) => ({ wire: 'kserve' as const, frames: ending(await open(call), done) })),

    embed: (call) =>
      loaded(call, async (done) => {
        const { input: texts, dimensions } = call.request;
        if (dimensions !== undefined) uncarried(call, ['dimensions']);
        const { inputs, outputs } = await tensorsOf(call);
        const input = inputs.find(({ datatype }) => datatype === 'BYTES');
        const output = outputs.find(({ datatype }) => /^FP(16|32|64)$/.test(datatype));
        if (input === undefined || output === undefined)
          return failed(call.target, 'the model gives no vectors of text');
        const vectors: Float32Array[] = [];
        const size = batchOf(input, texts.length);
        for (let at = 0; at < texts.length; at += size) {
          const batch = texts.slice(at, at + size);
          const json = await infer(call, { inputs: [textTensor(input, batch)], outputs: [{ name: output.name }] });
          const data = tensorsIn(json, 'outputs').find((each) => each.name === output.name)?.data ?? [];
          vectors.push(...(vectorsIn(data, batch.length) ?? failed(call.target, 'the upstream left out embeddings')));
        }
        const usage = await estimateEmbeddingUsage(texts);
        done();
        return { usage, result: () => ({ model: call.model, vectors, usage }) };
      }),

    probe: async (signal) => {
      await upstream.text({ url: `${base}/v2/health/ready`, target: name, signal });
    },

    listModels: async (signal) =>
      [...new Set((await repository.index(signal)).map((model) => model.name))].slice(0, 2_000),
  };
}

/** The frames, and the end of the call when they end, fail, or nobody wants more. */
function ending(frames: AsyncIterable<StreamFrame>, done: () => void): AsyncIterable<StreamFrame> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = frames[Symbol.asyncIterator]();
      return {
        next: async () => {
          try {
            const step = await inner.next();
            if (step.done === true) done();
            return step;
          } catch (thrown) {
            done();
            throw thrown;
          }
        },
        return: async () => {
          done();
          await inner.return?.();
          return { value: undefined, done: true };
        },
      };
    },
  };
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof SekishoError && thrown.code === 'upstream_rejected';
}

function failed(target: string, why: string): never {
  throw new SekishoError('upstream_broken', { values: { target }, cause: new Error(why) });
}

/** By the machine's timers, which do not keep the process alive. */
function byTimer(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
