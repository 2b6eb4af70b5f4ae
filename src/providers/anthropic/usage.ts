import { numberAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';

/**
 * The usage object of the Anthropic wire. There `input_tokens` leaves out what was read from and written to
 * the prompt cache; in the vocabulary the input is everything.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const cachedInputTokens = numberAt(usage, 'cache_read_input_tokens') ?? 0;
  const cacheWriteTokens = numberAt(usage, 'cache_creation_input_tokens') ?? 0;
  return {
    inputTokens: (numberAt(usage, 'input_tokens') ?? 0) + cachedInputTokens + cacheWriteTokens,
    outputTokens: numberAt(usage, 'output_tokens') ?? 0,
    cachedInputTokens,
    cacheWriteTokens,
    reasoningTokens: 0,
    basis: 'reported',
  };
}
