import { noUsage, type Usage } from '../../spec/usage.ts';

/** The input of several answers together; undefined where one of them tells nothing. */
export function addInputs(usages: readonly (Usage | undefined)[]): Usage | undefined {
  let inputTokens = 0;
  for (const usage of usages) {
    if (usage === undefined) return undefined;
    inputTokens += usage.inputTokens;
  }
  return { ...noUsage('reported'), inputTokens };
}
