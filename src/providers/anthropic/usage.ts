import { numberAt, objectAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';

/**
 * The usage object of the Anthropic wire. Its `input_tokens` leaves out what was read from and written to the
 * prompt cache; ours counts the whole prompt. A stream reports twice, and the second report names only what
 * it corrects: `before` fills what is missing.
 */
export function decodeUsage(usage: JsonObject, before?: Usage): Usage {
  const read = numberAt(usage, 'cache_read_input_tokens') ?? before?.cachedInputTokens ?? 0;
  const written = numberAt(usage, 'cache_creation_input_tokens') ?? before?.cacheWriteTokens ?? 0;
  const plainBefore =
    before === undefined ? 0 : before.inputTokens - before.cachedInputTokens - before.cacheWriteTokens;
  const details = objectAt(usage, 'output_tokens_details') ?? {};
  return {
    inputTokens: (numberAt(usage, 'input_tokens') ?? plainBefore) + read + written,
    outputTokens: numberAt(usage, 'output_tokens') ?? before?.outputTokens ?? 0,
    cachedInputTokens: read,
    cacheWriteTokens: written,
    reasoningTokens: numberAt(details, 'thinking_tokens') ?? before?.reasoningTokens ?? 0,
    basis: 'reported',
  };
}
