/** The dialects that upstream endpoints speak. `onnx`, `extractive` and `static` answer inside this process. */
export const WIRES = [
  'openai',
  'anthropic',
  'gemini',
  'bedrock',
  'cohere',
  'ollama',
  'kserve',
  'onnx',
  'extractive',
  'static',
] as const;
export type Wire = (typeof WIRES)[number];

/** Wires of this process itself, which no address and no credential belongs to. */
export const OWN_WIRES = ['onnx', 'extractive', 'static'] as const satisfies readonly Wire[];

/** Wires of endpoints outside this process. */
export type RemoteWire = Exclude<Wire, (typeof OWN_WIRES)[number]>;

/** The shape of a body: a wire's own, or another one that endpoints of a wire may take as well. */
export type BodyForm = Wire | 'openai-responses' | 'openai-completions';
