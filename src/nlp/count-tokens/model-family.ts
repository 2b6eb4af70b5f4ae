/** An encoding whose tables this process has. */
export type Encoding = 'o200k_base' | 'cl100k_base';

/** How the tokens of a model are counted. */
export interface ModelFamily {
  /** The tokeniser itself, where it is public; absent: an approximation. */
  encoding?: Encoding;
  /** What a count is multiplied by, margin included, so that it is rarely too low. */
  factor: number;
  images: 'openai' | 'anthropic' | 'gemini' | 'other';
}

/** Templates of a chat differ by a few tokens a message from what is counted; this covers it. */
const EXACT_FACTOR = 1.02;

/**
 * Claude takes about 1.16 (prose) to 1.3 (code) times the tokens of o200k, and its newest tokeniser up to 1.35 times
 * that; Gemini's is close to o200k; open models have vocabularies near cl100k, which takes 1.0 times (English) to
 * 1.4 times (Japanese) the tokens of o200k.
 */
const FAMILIES: readonly { names: RegExp; family: ModelFamily }[] = [
  {
    names: /gpt-(?:4o|4\.1|4\.5|[5-9]|oss)|chatgpt-4o|(?:^|[/.])o[1-9](?:-|$)/,
    family: { encoding: 'o200k_base', factor: EXACT_FACTOR, images: 'openai' },
  },
  {
    names: /gpt-(?:4|3\.5|35)|text-embedding-(?:3|ada)/,
    family: { encoding: 'cl100k_base', factor: EXACT_FACTOR, images: 'openai' },
  },
  { names: /claude/, family: { factor: 1.5, images: 'anthropic' } },
  { names: /gemini|gemma/, family: { factor: 1.25, images: 'gemini' } },
];

const OTHER: ModelFamily = { factor: 1.4, images: 'other' };

/** The family of a model by its upstream name, with or without a vendor's prefix (`us.anthropic.claude-…`). */
export function familyOf(model: string): ModelFamily {
  const name = model.slice(0, 256).toLowerCase();
  return FAMILIES.find(({ names }) => names.test(name))?.family ?? OTHER;
}
