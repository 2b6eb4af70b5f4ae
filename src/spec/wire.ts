/** The dialects that upstream endpoints speak. `extractive` and `static` answer inside this process. */
export const WIRES = ['openai', 'anthropic', 'extractive', 'static'] as const;
export type Wire = (typeof WIRES)[number];
