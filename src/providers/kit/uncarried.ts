import type { CallContext } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';

/** Without these an answer would be one to another question: they are refused, never left out. */
const ESSENTIAL = /^(?:previous_response_id$|conversation$|prompt$|prompt of|more than one prompt|background$|input\[)/;

/**
 * For what a wire cannot carry: refused in the caller's words, or left out and reported, as the call says.
 * @throws SekishoError unsupported_parameter, naming every one of them.
 */
export function uncarried(call: Pick<CallContext, 'target' | 'onUncarried'>, parameters: readonly string[]): void {
  if (parameters.length === 0) return;
  if (call.onUncarried !== undefined && !parameters.some((name) => ESSENTIAL.test(name)))
    return call.onUncarried(parameters);
  throw new SekishoError('unsupported_parameter', {
    values: { route: call.target, parameters: parameters.join(', ') },
    ...(parameters[0] !== undefined && { param: parameters[0] }),
  });
}
