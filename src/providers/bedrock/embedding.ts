import { arrayAt, isJsonObject, numberAt, objectAt, type JsonObject, type JsonValue } from '../../lib/json.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { estimateEmbeddingUsage } from '../kit/estimate-usage.ts';
import { uncarried } from '../kit/uncarried.ts';
import type { JsonAnswer } from '../kit/upstream.ts';

/** Calls of one request that are under way at once, for models that take one text a call. */
const AT_ONCE = 8;
const MAX_COHERE_TEXTS = 96;

/** How a model embeds: each vendor has words of its own for InvokeModel. */
interface EmbeddingForm {
  textsPerCall: number;
  body(texts: readonly string[]): JsonObject;
  vectors(answer: JsonObject): JsonValue[];
  tokens?(answer: JsonObject): number | undefined;
}

/**
 * Embeds by as many calls as the model needs.
 * @throws SekishoError upstream_broken where an answer lacks vectors; unsupported_parameter for models that do
 * not embed, and for dimensions that a model cannot choose.
 */
export async function embed(
  call: EmbeddingCall,
  invoke: (body: JsonObject) => Promise<JsonAnswer>,
): Promise<EmbeddingAnswer> {
  const form = formOf(call);
  const { input } = call.request;
  const batches: string[][] = [];
  for (let at = 0; at < input.length; at += form.textsPerCall) batches.push(input.slice(at, at + form.textsPerCall));
  const answers: JsonAnswer[] = [];
  for (let at = 0; at < batches.length; at += AT_ONCE) {
    const group = batches.slice(at, at + AT_ONCE);
    answers.push(...(await Promise.all(group.map((texts) => invoke(form.body(texts))))));
  }
  const vectors = answers.flatMap(({ json }) => form.vectors(json)).map((vector) => floats(vector));
  if (vectors.length !== input.length || vectors.some((vector) => vector.length === 0)) {
    const cause = new Error('the upstream left out embeddings');
    throw new SekishoError('upstream_broken', { values: { target: call.target }, cause });
  }
  const usage = await usageOf(call, form, answers);
  return { usage, result: () => ({ model: call.model, vectors, usage }) };
}

function formOf(call: EmbeddingCall): EmbeddingForm {
  const { model } = call;
  const { dimensions, purpose } = call.request;
  if (/(^|[./])amazon\.titan-embed/.test(model)) {
    const first = model.includes('titan-embed-text-v1') || model.includes('titan-embed-g1');
    if (first && dimensions !== undefined) uncarried(call, ['dimensions']);
    return {
      textsPerCall: 1,
      body: ([inputText = '']) => ({ inputText, ...(!first && dimensions !== undefined && { dimensions }) }),
      vectors: (answer) => [answer['embedding'] ?? null],
      tokens: (answer) => numberAt(answer, 'inputTextTokenCount'),
    };
  }
  if (/(^|[./])cohere\.embed/.test(model)) {
    const fourth = model.includes('embed-v4');
    if (!fourth && dimensions !== undefined) uncarried(call, ['dimensions']);
    return {
      textsPerCall: MAX_COHERE_TEXTS,
      body: (texts) => ({
        texts: [...texts],
        input_type: purpose === 'query' ? 'search_query' : 'search_document',
        embedding_types: ['float'],
        ...(fourth && dimensions !== undefined && { output_dimension: dimensions }),
      }),
      vectors: (answer) => {
        const byType = objectAt(answer, 'embeddings');
        return byType === undefined ? arrayAt(answer, 'embeddings') : arrayAt(byType, 'float');
      },
    };
  }
  const parameters = `embeddings with the model ${model}`;
  throw new SekishoError('unsupported_parameter', { values: { route: call.target, parameters }, param: 'model' });
}

/** Told by the body, or by a header that the vendor sets for every model. */
async function usageOf(call: EmbeddingCall, form: EmbeddingForm, answers: readonly JsonAnswer[]): Promise<Usage> {
  let inputTokens = 0;
  for (const { json, headers } of answers) {
    const header = headers.get('x-amzn-bedrock-input-token-count');
    const tokens = form.tokens?.(json) ?? (header === null ? Number.NaN : Number(header));
    if (!Number.isFinite(tokens)) return estimateEmbeddingUsage(call.request.input);
    inputTokens += Math.max(0, tokens);
  }
  return { ...noUsage('reported'), inputTokens };
}

function floats(vector: JsonValue): Float32Array {
  return Array.isArray(vector)
    ? Float32Array.from(
        vector.filter((value) => !isJsonObject(value)),
        Number,
      )
    : new Float32Array();
}
