import type { Provider } from '../../ports/provider.ts';
import type { StaticTextEncoder } from '../../ports/text-analyser.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';

export interface StaticProviderOptions {
  encoder: StaticTextEncoder;
  /** Makes vectors of bulk off the event loop, in order, and counts the tokens. */
  encodeBulk?: (texts: readonly string[]) => Promise<{ vectors: Float32Array[]; tokens: number }>;
}

/** Vectors are made in slices of about this many code units, so that a large batch does not hold up other callers. */
const SLICE_LENGTH = 100_000;

/**
 * The provider of the embedding model that runs inside this process. Vectors are unit length; a text without a
 * known token gives the zero vector.
 * Errors: unsupported_parameter for `dimensions` other than the model's own.
 */
export function createStaticProvider({ encoder, encodeBulk }: StaticProviderOptions): Provider {
  return {
    name: 'static',
    wire: 'static',
    async embed(call) {
      const { input, dimensions } = call.request;
      if (dimensions !== undefined && dimensions !== encoder.dimensions) {
        throw new SekishoError('unsupported_parameter', {
          values: { route: call.target, parameters: `dimensions other than ${encoder.dimensions}` },
          param: 'dimensions',
        });
      }
      if (encodeBulk !== undefined && input.reduce((sum, text) => sum + text.length, 0) > SLICE_LENGTH) {
        const { vectors, tokens } = await encodeBulk(input);
        const usage = { ...noUsage('estimated'), inputTokens: tokens };
        return { usage, result: () => ({ model: call.model, vectors, usage }) };
      }
      const vectors: Float32Array[] = [];
      let inputTokens = 0;
      let sinceBreak = 0;
      for (const text of input) {
        if (call.signal.aborted) throw new SekishoError('caller_left', { cause: call.signal.reason });
        vectors.push(encoder.encode(text));
        inputTokens += encoder.countTokens(text);
        sinceBreak += text.length;
        if (sinceBreak >= SLICE_LENGTH) {
          sinceBreak = 0;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      const usage = { ...noUsage('estimated'), inputTokens };
      return { usage, result: () => ({ model: call.model, vectors, usage }) };
    },
    async listModels() {
      return [encoder.id];
    },
  };
}
