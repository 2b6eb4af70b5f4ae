import { readFileSync } from 'node:fs';
import { isJsonObject, objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { FakeWireModule } from './fake-answer.ts';
import { errorBody } from './recorded-answer.ts';

const FIXTURES = new URL('./fixtures/openai-responses/', import.meta.url);

/** OpenAI's responses, whole and streamed. */
export const responsesForm: FakeWireModule = ({ method, path, json }) => {
  if (method !== 'POST' || path.split('?')[0] !== '/v1/responses') return undefined;
  return {
    model: stringAt(json, 'model') ?? '',
    healthy: (given) => {
      const name = given ?? answerFor(json);
      if (json['stream'] !== true) return { body: fixture(`${name}.json`) };
      return { events: recordedResponse(name), contentType: 'text/event-stream; charset=utf-8', encoding: 'utf8' };
    },
    failure: (status) => ({ body: errorBody('openai', status) }),
  };
};

/** The recorded stream as whole events. */
export function recordedResponse(name: AnswerName): string[] {
  return fixture(`${name}.sse`)
    .split('\n\n')
    .flatMap((event) => (event === '' ? [] : [`${event}\n\n`]));
}

/** Which recorded answer a request calls for where the test names none. */
function answerFor(request: JsonObject): AnswerName {
  const input = Array.isArray(request['input']) ? request['input'] : [];
  const last = input.at(-1);
  const afterTool = isJsonObject(last) && last['type'] === 'function_call_output';
  if (Array.isArray(request['tools']) && request['tools'].length > 0 && !afterTool) return 'tools';
  if (objectAt(objectAt(request, 'text') ?? {}, 'format')?.['type'] === 'json_schema') return 'json';
  return objectAt(request, 'reasoning')?.['effort'] === undefined ? 'plain' : 'thinking';
}

function fixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'utf8');
}
