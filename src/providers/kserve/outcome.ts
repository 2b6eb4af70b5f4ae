import { arrayAt, numberAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { FinishReason } from '../../spec/chat.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { tokensAt } from '../kit/tokens-at.ts';
import type { Tensor } from './tensors.ts';

/** What models tell of an answer beside its text, where they can be asked for it. */
export interface Outcome {
  /** Reads one answer, or one piece of it: output tokens are those of the piece. */
  add(json: JsonObject): void;
  /** Absent where nothing, or not all of it, was told. */
  readonly usage: Usage | undefined;
  readonly finish: FinishReason | undefined;
}

/** Gathers what the pieces of one answer tell. */
export function createOutcome(): Outcome {
  let input: number | undefined;
  let output: number | undefined;
  let finish: FinishReason | undefined;
  return {
    add(json) {
      input = tokensAt(flat(json), 'num_input_tokens') ?? input;
      const more = tokensAt(flat(json), 'num_output_tokens');
      if (more !== undefined) output = (output ?? 0) + more;
      finish = finishOf(stringAt(flat(json), 'finish_reason')) ?? finish;
    },
    get usage() {
      if (input === undefined || output === undefined) return undefined;
      return { ...noUsage('reported'), inputTokens: input, outputTokens: output };
    },
    get finish() {
      return finish;
    },
  };
}

/** True for models that say why an answer ended when asked: a stream that does not say so was broken off. */
export function tellsReason(inputs: readonly Tensor[]): boolean {
  return inputs.some(({ name }) => name === 'return_finish_reason');
}

/** Tensors of one element are written as such by some servers, and as lists by others. */
function flat(json: JsonObject): JsonObject {
  return Object.fromEntries(
    ['num_input_tokens', 'num_output_tokens', 'finish_reason'].map((name) => [
      name,
      numberAt(json, name) ?? stringAt(json, name) ?? arrayAt(json, name)[0],
    ]),
  );
}

/** Pieces before the last say `None`. */
function finishOf(reason: string | undefined): FinishReason | undefined {
  if (reason === undefined || reason === '' || reason === 'None') return undefined;
  return reason === 'stop' || reason === 'length' ? reason : 'other';
}
