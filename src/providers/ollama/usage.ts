import type { JsonObject } from '../../lib/json.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';
import { tokensAt } from '../kit/tokens-at.ts';

/**
 * The counts of an answer; undefined where it has none. A prompt that was wholly in the server's cache has no
 * count in older versions, which is a prompt of 0 tokens evaluated.
 */
export function findUsage(answer: JsonObject): Usage | undefined {
  const inputTokens = tokensAt(answer, 'prompt_eval_count');
  const outputTokens = tokensAt(answer, 'eval_count');
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return { ...noUsage('reported'), inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0 };
}
