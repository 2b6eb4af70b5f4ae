import { objectAt, type JsonObject } from '../../lib/json.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { tokensAt } from '../kit/tokens-at.ts';

/**
 * The usage of an answer; undefined where the upstream tells none. `holder` is the `usage` of a chat or the
 * `meta` of the other calls. What is billed comes before what was processed: the vendor adds a preamble of
 * its own to each prompt, which nobody pays for. What came from the cache is a part of what was processed,
 * and so is told only where that is the count.
 */
export function findUsage(holder: JsonObject | undefined): Usage | undefined {
  if (holder === undefined) return undefined;
  const billed = objectAt(holder, 'billed_units') ?? {};
  const processed = objectAt(holder, 'tokens') ?? {};
  const billedInput = tokensAt(billed, 'input_tokens');
  const inputTokens = billedInput ?? tokensAt(processed, 'input_tokens');
  const outputTokens = tokensAt(billed, 'output_tokens') ?? tokensAt(processed, 'output_tokens');
  const searchUnits = tokensAt(billed, 'search_units');
  if (inputTokens === undefined && outputTokens === undefined && searchUnits === undefined) return undefined;
  return {
    ...noUsage('reported'),
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cachedInputTokens:
      billedInput === undefined ? Math.min(tokensAt(holder, 'cached_tokens') ?? 0, inputTokens ?? 0) : 0,
    ...(searchUnits !== undefined && searchUnits > 0 && { searchUnits }),
  };
}
