/**
 * What one call used, in tokens. `inputTokens` and `outputTokens` are wholes, every other count is a part of one
 * of them; a price counts each token once, in its part.
 */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  /** Part of inputTokens that the upstream read from its prompt cache. */
  cachedInputTokens: number;
  /** Part of inputTokens that the upstream wrote to its prompt cache. */
  cacheWriteTokens: number;
  /** Part of outputTokens spent on reasoning. */
  reasoningTokens: number;
  /** Parts of inputTokens and outputTokens of other kinds than text, where the upstream tells; absent is none. */
  audioInputTokens?: number;
  audioOutputTokens?: number;
  imageInputTokens?: number;
  imageOutputTokens?: number;
  /** Part of cacheWriteTokens kept for an hour, which costs more. */
  longCacheWriteTokens?: number;
  /** Searches that a call is billed by: of a rerank, or of a search tool that the vendor runs. */
  searchUnits?: number;
  /** `reported` by the upstream, or `estimated` by us where it stayed silent. */
  basis: 'reported' | 'estimated';
}

/** A usage of nothing, to build on. */
export function noUsage(basis: Usage['basis'] = 'estimated'): Usage {
  return {
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    basis,
  };
}
