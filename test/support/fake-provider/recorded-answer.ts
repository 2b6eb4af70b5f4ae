import { readFileSync } from 'node:fs';
import { isJsonObject, objectAt, parseJson, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';

export type FakeWire = 'openai' | 'anthropic';

const FIXTURES = new URL('./fixtures/', import.meta.url);

/** The recorded whole answer, as the upstream sends it. */
export function recordedBody(wire: FakeWire, name: AnswerName | 'models'): string {
  return readFileSync(new URL(`${wire}/${name}.json`, FIXTURES), 'utf8');
}

/**
 * The recorded stream as whole events, blank line included. On the OpenAI wire the usage chunk, and
 * `"usage":null` in the others, are there only where the caller asked with `stream_options.include_usage`.
 */
export function recordedEvents(wire: FakeWire, name: AnswerName, request: JsonObject): string[] {
  const text = readFileSync(new URL(`${wire}/${name}.sse`, FIXTURES), 'utf8');
  const events = text.split('\n\n').flatMap((event) => (event === '' ? [] : [`${event}\n\n`]));
  const options = objectAt(request, 'stream_options');
  if (wire === 'anthropic' || options?.['include_usage'] === true) return events;
  return events.flatMap((event) => {
    const chunk = parseJson(event.slice('data: '.length));
    if (!isJsonObject(chunk)) return [event];
    if (isJsonObject(chunk['usage'])) return [];
    delete chunk['usage'];
    return [`data: ${JSON.stringify(chunk)}\n\n`];
  });
}

/** Which recorded answer a request calls for where the test names none. */
export function answerFor(request: JsonObject): AnswerName {
  const messages = Array.isArray(request['messages']) ? request['messages'] : [];
  const last = messages.at(-1);
  const afterTool =
    isJsonObject(last) && (last['role'] === 'tool' || JSON.stringify(last).includes('"type":"tool_result"'));
  if (Array.isArray(request['tools']) && request['tools'].length > 0 && !afterTool) return 'tools';
  if (isJsonObject(request['response_format']) && request['response_format']['type'] === 'json_schema') return 'json';
  if (isJsonObject(request['output_config']) || isJsonObject(request['output_format'])) return 'json';
  if (isJsonObject(request['thinking']) && request['thinking']['type'] !== 'disabled') return 'thinking';
  return 'plain';
}

/** An error body as the wire's own API sends it. */
export function errorBody(wire: FakeWire, status: number): string {
  const message = `The fake provider was told to answer ${status}.`;
  if (wire === 'anthropic') {
    const types: Record<number, string> = {
      400: 'invalid_request_error',
      401: 'authentication_error',
      403: 'permission_error',
      404: 'not_found_error',
      413: 'request_too_large',
      429: 'rate_limit_error',
      529: 'overloaded_error',
    };
    const error = { type: types[status] ?? 'api_error', message };
    return JSON.stringify({ type: 'error', error, request_id: 'req_fake0001' });
  }
  const types: Record<number, [type: string, code: string | null]> = {
    400: ['invalid_request_error', null],
    401: ['invalid_request_error', 'invalid_api_key'],
    404: ['invalid_request_error', 'model_not_found'],
    429: ['requests', 'rate_limit_exceeded'],
  };
  const [type, code] = types[status] ?? ['server_error', null];
  return JSON.stringify({ error: { message, type, param: null, code } });
}
