import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { Usage } from '../../spec/usage.ts';
import { tokensAt as countAt } from '../kit/tokens-at.ts';

/** Kinds of input that the wire counts apart; what was read from the cache is left out of them. */
type Modality = 'AUDIO' | 'IMAGE';

/**
 * The usageMetadata of the wire (ai.google.dev/api/generate-content#UsageMetadata). Its `candidatesTokenCount`
 * leaves out what was thought and its `promptTokenCount` leaves out what the vendor's own tools put into the
 * prompt; ours counts both. Audio and image tokens that came from the cache count as cached only.
 */
export function decodeUsage(usage: JsonObject): Usage {
  const prompt = tokensAt(usage, 'promptTokenCount');
  const inputTokens = prompt + tokensAt(usage, 'toolUsePromptTokenCount');
  const thoughts = tokensAt(usage, 'thoughtsTokenCount');
  const stated = numberAt(usage, 'candidatesTokenCount');
  const outputTokens =
    stated === undefined
      ? Math.max(thoughts, tokensAt(usage, 'totalTokenCount') - inputTokens)
      : Math.max(0, stated) + thoughts;
  const input = (modality: Modality): number =>
    Math.max(
      0,
      modalityTokens(usage, 'promptTokensDetails', modality) +
        modalityTokens(usage, 'toolUsePromptTokensDetails', modality) -
        modalityTokens(usage, 'cacheTokensDetails', modality),
    );
  const kinds = {
    audioInputTokens: input('AUDIO'),
    imageInputTokens: input('IMAGE'),
    audioOutputTokens: modalityTokens(usage, 'candidatesTokensDetails', 'AUDIO'),
    imageOutputTokens: modalityTokens(usage, 'candidatesTokensDetails', 'IMAGE'),
  };
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: Math.min(tokensAt(usage, 'cachedContentTokenCount'), inputTokens),
    cacheWriteTokens: 0,
    reasoningTokens: thoughts,
    ...Object.fromEntries(Object.entries(kinds).filter(([, tokens]) => tokens > 0)),
    basis: 'reported',
  };
}

/** The usage that a body or a chunk of a stream reports. */
export function findUsage(body: JsonObject): Usage | undefined {
  const usage = objectAt(body, 'usageMetadata');
  return usage === undefined || numberAt(usage, 'promptTokenCount') === undefined ? undefined : decodeUsage(usage);
}

function modalityTokens(usage: JsonObject, list: string, modality: Modality): number {
  return arrayAt(usage, list)
    .filter(isJsonObject)
    .filter((detail) => stringAt(detail, 'modality') === modality)
    .reduce((sum, detail) => sum + tokensAt(detail, 'tokenCount'), 0);
}

function tokensAt(object: JsonObject, key: string): number {
  return countAt(object, key) ?? 0;
}
