/** The dialects that upstream endpoints speak. `extractive` and `static` answer inside this process. */
export const WIRES = [
  'openai',
  'anthropic',
  'gemini',
  'bedrock',
  'cohere',
  'ollama',
  'kserve',
  'extractive',
  'static',
] as const;
export type Wire = (typeof WIRES)[number];

/** The shape of a body: a wire's own, or another one that endpoints of a wire may take as well. */
export type BodyForm = Wire | 'openai-responses' | 'openai-completions';
