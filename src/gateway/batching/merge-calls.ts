import type { EmbeddingAnswer, EmbeddingCall } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import { shareUsage } from './share-usage.ts';

/** Fields of an embeddings body that the vocabulary carries, or that only say how to answer. */
const CARRIED = new Set(['model', 'input', 'encoding_format', 'dimensions', 'user']);

/**
 * Calls with the same key to the same endpoint may become one; undefined where a call must go alone, because its
 * body has fields that a common call would lose.
 */
export function mergeKey(call: EmbeddingCall): string | undefined {
  const { native, request, model, target, forwardHeaders, onUncarried } = call;
  if (native !== undefined) {
    if (native.wire !== 'openai') return undefined;
    for (const field of Object.keys(native.json)) if (!CARRIED.has(field)) return undefined;
  }
  return JSON.stringify([
    target,
    model,
    request.dimensions ?? null,
    request.purpose ?? null,
    request.endUser ?? null,
    forwardHeaders === undefined ? [] : Object.entries(forwardHeaders),
    onUncarried === undefined,
  ]);
}

/** One call for the inputs of several, in their order; aborted when the last of the callers has left. */
export function mergeCalls(calls: readonly EmbeddingCall[]): EmbeddingCall {
  const [first] = calls;
  if (first === undefined) throw new SekishoError('internal', { cause: new Error('a batch of nothing') });
  const { native: _, ...common } = first;
  return {
    ...common,
    request: { ...first.request, input: calls.flatMap(({ request }) => request.input) },
    signal: allLeft(calls.map(({ signal }) => signal)),
    ...(first.onUncarried && {
      onUncarried: (parameters: readonly string[]) => {
        for (const { onUncarried } of calls) onUncarried?.(parameters);
      },
    }),
  };
}

/**
 * The answer to a common call, divided in the order of its callers: to each its vectors, and of the usage what
 * its tokens are of all.
 * @throws SekishoError upstream_broken where the vectors are not as many as the inputs.
 */
export function shareAnswer(
  answer: EmbeddingAnswer,
  callers: readonly { inputs: number; tokens: number }[],
  target: string,
): EmbeddingAnswer[] {
  const { model, vectors } = answer.result();
  const wanted = callers.reduce((sum, { inputs }) => sum + inputs, 0);
  if (vectors.length !== wanted) {
    const cause = new Error(`${vectors.length} vectors for ${wanted} inputs`);
    throw new SekishoError('upstream_broken', { values: { target }, cause });
  }
  const usages = shareUsage(
    answer.usage,
    callers.map(({ tokens }) => tokens),
  );
  let from = 0;
  return callers.map(({ inputs }, index) => {
    const own = vectors.slice(from, (from += inputs));
    const usage = usages[index] ?? answer.usage;
    return { usage, result: () => ({ model, vectors: own, usage }) };
  });
}

/** Aborted when all of these are. */
function allLeft(signals: readonly AbortSignal[]): AbortSignal {
  const left = new AbortController();
  let staying = signals.length;
  const leave = (): void => {
    if (--staying === 0) left.abort();
  };
  for (const signal of signals) {
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  }
  return left.signal;
}
