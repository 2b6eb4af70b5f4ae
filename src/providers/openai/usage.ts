import { numberAt, objectAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';

/**
 * The usage object of the OpenAI wire, in the shapes that its speakers send: cached tokens under
 * `prompt_tokens_details` or, from DeepSeek, as `prompt_cache_hit_tokens`. Some (xAI, Gemini) leave reasoning
 * out of `completion_tokens` but not out of `total_tokens`: what the total has beyond the prompt is output.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const input = objectAt(usage, 'prompt_tokens_details') ?? objectAt(usage, 'input_tokens_details') ?? {};
  const output = objectAt(usage, 'completion_tokens_details') ?? {};
  const total = tokensAt(usage, 'total_tokens');
  const inputTokens = tokensAt(usage, 'prompt_tokens') ?? total ?? 0;
  const written = tokensAt(usage, 'completion_tokens') ?? 0;
  const outputTokens = Math.max(written, (total ?? 0) - inputTokens);
  const cached = tokensAt(input, 'cached_tokens') ?? tokensAt(usage, 'prompt_cache_hit_tokens') ?? 0;
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: Math.min(cached, inputTokens),
    cacheWriteTokens: Math.min(tokensAt(input, 'cache_write_tokens') ?? 0, inputTokens),
    reasoningTokens: Math.min(tokensAt(output, 'reasoning_tokens') ?? outputTokens - written, outputTokens),
    basis: 'reported',
  };
}

/** The usage of a body or of a stream's chunk: at the top, or where Groq puts it. */
export function findUsage(body: JsonObject): Usage | undefined {
  const usage = objectAt(body, 'usage') ?? objectAt(objectAt(body, 'x_groq') ?? {}, 'usage');
  return usage === undefined ? undefined : decodeUsage(usage);
}

function tokensAt(object: JsonObject, key: string): number | undefined {
  const value = numberAt(object, key);
  return value === undefined ? undefined : Math.max(0, value);
}
