import { arrayAt, isJsonObject, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';
import { tokensAt as countAt } from '../kit/tokens-at.ts';

/**
 * The usage object of the wire (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html).
 * Its `inputTokens` leaves out what was read from and written to the prompt cache; ours counts the whole
 * prompt. Reasoning is part of its output and not told apart.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const read = tokensAt(usage, 'cacheReadInputTokens');
  const written = tokensAt(usage, 'cacheWriteInputTokens');
  const long = arrayAt(usage, 'cacheDetails')
    .filter(isJsonObject)
    .filter((detail) => stringAt(detail, 'ttl') === '1h')
    .reduce((sum, detail) => sum + tokensAt(detail, 'inputTokens'), 0);
  return {
    inputTokens: tokensAt(usage, 'inputTokens') + read + written,
    outputTokens: tokensAt(usage, 'outputTokens'),
    cachedInputTokens: read,
    cacheWriteTokens: written,
    ...(long > 0 && { longCacheWriteTokens: Math.min(long, written) }),
    reasoningTokens: 0,
    basis: 'reported',
  };
}

function tokensAt(object: JsonObject, key: string): number {
  return countAt(object, key) ?? 0;
}
