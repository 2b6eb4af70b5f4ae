import { objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { FakeWireModule } from './fake-answer.ts';
import { errorBody } from './recorded-answer.ts';

const HEAD = {
  id: 'cmpl-fake0001',
  object: 'text_completion',
  created: 1_760_000_000,
  model: 'gpt-3.5-turbo-instruct',
};
const PIECES = ['The gate', ' is open.', ' 関所は開いています 🏯.'];
const USAGE = { prompt_tokens: 17, completion_tokens: 13, total_tokens: 30 };

/** OpenAI's completions from before chats: every prompt has the same answer. */
export const completionsForm: FakeWireModule = ({ method, path, json }) => {
  if (method !== 'POST' || path.split('?')[0] !== '/v1/completions') return undefined;
  const prompts = Array.isArray(json['prompt']) ? json['prompt'].length : 1;
  return {
    model: stringAt(json, 'model') ?? '',
    healthy: () => (json['stream'] === true ? streamed(json, prompts) : { body: whole(prompts) }),
    failure: (status) => ({ body: errorBody('openai', status) }),
  };
};

function whole(prompts: number): string {
  const choices = Array.from({ length: prompts }, (_, index) => choice(PIECES.join(''), index, 'stop'));
  return JSON.stringify({ ...HEAD, choices, usage: USAGE });
}

function streamed(json: JsonObject, prompts: number) {
  const event = (fields: object): string => `data: ${JSON.stringify({ ...HEAD, ...fields })}\n\n`;
  const events = Array.from({ length: prompts }, (_, index) => [
    ...PIECES.map((text) => event({ choices: [choice(text, index, null)] })),
    event({ choices: [choice('', index, 'stop')] }),
  ]).flat();
  if (objectAt(json, 'stream_options')?.['include_usage'] === true) events.push(event({ choices: [], usage: USAGE }));
  return { events: [...events, 'data: [DONE]\n\n'], contentType: 'text/event-stream', encoding: 'utf8' as const };
}

function choice(text: string, index: number, finish: string | null): object {
  return { text, index, logprobs: null, finish_reason: finish };
}
