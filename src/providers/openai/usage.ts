import { objectAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';
import { tokensAt } from '../kit/tokens-at.ts';

/**
 * The usage object of the OpenAI wire, of chat completions and of responses, in the shapes that its speakers
 * send. Cached tokens stand under `prompt_tokens_details` or, from DeepSeek, as `prompt_cache_hit_tokens`, or,
 * from Moonshot, as `cached_tokens`. xAI and Gemini leave reasoning out of `completion_tokens` but not out of
 * `total_tokens`: what the total has beyond the prompt is output, and so is reasoning that the output is too
 * small to hold.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const input = objectAt(usage, 'prompt_tokens_details') ?? objectAt(usage, 'input_tokens_details') ?? {};
  const output = objectAt(usage, 'completion_tokens_details') ?? objectAt(usage, 'output_tokens_details') ?? {};
  const total = tokensAt(usage, 'total_tokens') ?? 0;
  const inputTokens = tokensAt(usage, 'prompt_tokens') ?? tokensAt(usage, 'input_tokens') ?? total;
  const written = tokensAt(usage, 'completion_tokens') ?? tokensAt(usage, 'output_tokens') ?? 0;
  const thought = tokensAt(output, 'reasoning_tokens');
  const apart = thought !== undefined && thought > written ? written + thought : written;
  const outputTokens = Math.max(apart, total - inputTokens);
  const cached = Math.min(
    tokensAt(input, 'cached_tokens') ??
      tokensAt(usage, 'prompt_cache_hit_tokens') ??
      tokensAt(usage, 'cached_tokens') ??
      0,
    inputTokens,
  );
  const decoded: Usage = {
    inputTokens,
    outputTokens,
    cachedInputTokens: cached,
    cacheWriteTokens: Math.min(tokensAt(input, 'cache_write_tokens') ?? 0, inputTokens - cached),
    reasoningTokens: Math.min(thought ?? outputTokens - written, outputTokens),
    basis: 'reported',
  };
  const audioIn = tokensAt(input, 'audio_tokens') ?? 0;
  const imageIn = tokensAt(input, 'image_tokens') ?? 0;
  const audioOut = tokensAt(output, 'audio_tokens') ?? 0;
  const imageOut = tokensAt(output, 'image_tokens') ?? 0;
  if (audioIn > 0) decoded.audioInputTokens = audioIn;
  if (imageIn > 0) decoded.imageInputTokens = imageIn;
  if (audioOut > 0) decoded.audioOutputTokens = audioOut;
  if (imageOut > 0) decoded.imageOutputTokens = imageOut;
  return decoded;
}

/**
 * The usage of a body or of a stream's chunk: at the top, where Groq puts it, or in the response that the last
 * event of the responses form carries.
 */
export function findUsage(body: JsonObject): Usage | undefined {
  const usage =
    objectAt(body, 'usage') ??
    objectAt(objectAt(body, 'x_groq') ?? {}, 'usage') ??
    objectAt(objectAt(body, 'response') ?? {}, 'usage');
  return usage === undefined ? undefined : decodeUsage(usage);
}
