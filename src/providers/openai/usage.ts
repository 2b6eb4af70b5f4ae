import { numberAt, objectAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';

/**
 * The usage object of the OpenAI wire, in the shapes that its speakers send: cached tokens under
 * `prompt_tokens_details` or, from DeepSeek, as `prompt_cache_hit_tokens`.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const input = objectAt(usage, 'prompt_tokens_details') ?? objectAt(usage, 'input_tokens_details') ?? {};
  const output = objectAt(usage, 'completion_tokens_details') ?? {};
  return {
    inputTokens: numberAt(usage, 'prompt_tokens') ?? numberAt(usage, 'total_tokens') ?? 0,
    outputTokens: numberAt(usage, 'completion_tokens') ?? 0,
    cachedInputTokens: numberAt(input, 'cached_tokens') ?? numberAt(usage, 'prompt_cache_hit_tokens') ?? 0,
    cacheWriteTokens: numberAt(input, 'cache_write_tokens') ?? 0,
    reasoningTokens: numberAt(output, 'reasoning_tokens') ?? 0,
    basis: 'reported',
  };
}

/** The usage of a body or of a stream's chunk: at the top, or where Groq puts it. */
export function findUsage(body: JsonObject): Usage | undefined {
  const usage = objectAt(body, 'usage') ?? objectAt(objectAt(body, 'x_groq') ?? {}, 'usage');
  return usage === undefined ? undefined : decodeUsage(usage);
}
