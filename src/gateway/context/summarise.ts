import { SekishoError } from '../../spec/errors.ts';
import type { ModelGateway } from '../model-call.ts';
import type { Summarise } from './summary-note.ts';

/** Writes summaries with a model of the gateway itself: admitted, billed and traced as every call, for whoever asked. */
export function createSummarise(gateway: Pick<ModelGateway, 'chat'>): Summarise {
  return async (text, { route, instructions, maxOutputTokens, signal, origin }) => {
    if (origin === undefined) throw new SekishoError('internal', { cause: new Error('A summary without a call.') });
    const { requestId, principal, endUser } = origin;
    const outcome = await gateway.chat({
      requestId,
      principal,
      route,
      signal,
      stream: false,
      ...(endUser !== undefined && { endUser }),
      request: () => ({
        messages: [
          { role: 'system', parts: [{ type: 'text', text: instructions }] },
          { role: 'user', parts: [{ type: 'text', text }] },
        ],
        maxOutputTokens,
      }),
    });
    if (outcome.kind !== 'whole') throw new SekishoError('internal', { cause: new Error('A summary was streamed.') });
    return outcome.answer
      .result()
      .parts.map((part) => (part.type === 'text' ? part.text : ''))
      .join('');
  };
}
