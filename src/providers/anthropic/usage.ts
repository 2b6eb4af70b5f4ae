import { objectAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';
import { tokensAt } from '../kit/tokens-at.ts';

/**
 * The usage object of the Anthropic wire. Its `input_tokens` leaves out what was read from and written to the
 * prompt cache; ours counts the whole prompt. A stream reports twice, and the second report names only what
 * it corrects: `before` fills what is missing. What was written for an hour stands in `cache_creation`, beside
 * what was written for five minutes.
 */
export function decodeUsage(usage: JsonObject, before?: Usage): Usage {
  const writes = objectAt(usage, 'cache_creation') ?? {};
  const longWritten = tokensAt(writes, 'ephemeral_1h_input_tokens') ?? before?.longCacheWriteTokens ?? 0;
  const shortWritten = tokensAt(writes, 'ephemeral_5m_input_tokens');
  const written =
    tokensAt(usage, 'cache_creation_input_tokens') ??
    (shortWritten === undefined ? undefined : shortWritten + longWritten) ??
    before?.cacheWriteTokens ??
    0;
  const read = tokensAt(usage, 'cache_read_input_tokens') ?? before?.cachedInputTokens ?? 0;
  const plainBefore =
    before === undefined ? 0 : before.inputTokens - before.cachedInputTokens - before.cacheWriteTokens;
  const searches =
    tokensAt(objectAt(usage, 'server_tool_use') ?? {}, 'web_search_requests') ?? before?.searchUnits ?? 0;
  const decoded: Usage = {
    inputTokens: (tokensAt(usage, 'input_tokens') ?? plainBefore) + read + written,
    outputTokens: tokensAt(usage, 'output_tokens') ?? before?.outputTokens ?? 0,
    cachedInputTokens: read,
    cacheWriteTokens: written,
    reasoningTokens:
      tokensAt(objectAt(usage, 'output_tokens_details') ?? {}, 'thinking_tokens') ?? before?.reasoningTokens ?? 0,
    basis: 'reported',
  };
  if (longWritten > 0) decoded.longCacheWriteTokens = Math.min(longWritten, written);
  if (searches > 0) decoded.searchUnits = searches;
  return decoded;
}
