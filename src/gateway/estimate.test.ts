import { expect, test } from 'bun:test';
import type { JsonObject } from '../lib/json.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { BodyForm } from '../spec/wire.ts';
import { estimateChat } from './estimate.ts';
import type { ModelCall } from './model-call.ts';

function estimated(wire: BodyForm, json: JsonObject): number {
  const call: ModelCall = {
    requestId: 'req_1',
    principal: { tenantId: DEFAULT_TENANT, keyId: 'key_1', name: 'k', role: 'member', allowedRoutes: [], limits: {} },
    route: 'fast',
    signal: new AbortController().signal,
    stream: false,
    request: () => ({ messages: [] }),
    native: { wire, text: JSON.stringify(json), json },
  };
  return estimateChat(call).maxOutputTokens;
}

test.each<[BodyForm, JsonObject, number]>([
  ['openai', { max_completion_tokens: 50 }, 50],
  ['openai', { max_tokens: 50, n: 3 }, 150],
  ['anthropic', { max_tokens: 70 }, 70],
  ['openai-responses', { max_output_tokens: 90 }, 90],
  ['openai-completions', { max_tokens: 10, prompt: ['a', 'b', 'c'], best_of: 2 }, 60],
  ['openai', {}, 1_024],
])('an answer to a body of %s %j is taken to have %d tokens at most', (wire, json, tokens) => {
  expect(estimated(wire, json)).toBe(tokens);
});
