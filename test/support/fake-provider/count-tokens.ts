import { stringAt } from '../../../src/lib/json.ts';
import type { FakeWireModule } from './fake-answer.ts';
import { errorBody } from './recorded-answer.ts';

/** What every input is said to have. */
export const COUNTED_TOKENS = 2_095;

/** Anthropic's counting of tokens. */
export const countTokensWire: FakeWireModule = ({ method, path, json }) => {
  if (method !== 'POST' || path.split('?')[0] !== '/v1/messages/count_tokens') return undefined;
  return {
    model: stringAt(json, 'model') ?? '',
    healthy: () => ({ body: JSON.stringify({ input_tokens: COUNTED_TOKENS }) }),
    failure: (status) => ({ body: errorBody('anthropic', status) }),
  };
};
