/** Whose model it is, which decides what the vendor-neutral call lets through. Names that do not tell: `unknown`. */
export type ModelFamily = 'claude' | 'nova' | 'gpt-oss' | 'mistral' | 'unknown' | 'other';

const FAMILIES: readonly (readonly [RegExp, ModelFamily])[] = [
  [/(^|[./])anthropic\./, 'claude'],
  [/(^|[./])amazon\.nova/, 'nova'],
  [/(^|[./])openai\./, 'gpt-oss'],
  [/(^|[./])mistral\./, 'mistral'],
  [/^arn:|^[a-z0-9]{12}$/, 'unknown'],
];

/** The family by the id of a model or of its inference profile (`us.anthropic.claude-…`); of other ARNs nothing is known. */
export function modelFamily(model: string): ModelFamily {
  return FAMILIES.find(([pattern]) => pattern.test(model))?.[1] ?? 'other';
}
