import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.ts';
import { SekishoError } from '../../spec/errors.ts';

const MAX_MESSAGES = 10_000;
const MAX_MODEL_LENGTH = 256;

/** The error for a field at fault; `param` is its path as the dialect writes it. */
export function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}

/** What every chat call must have, whoever takes it: a model, messages that are objects with a role, a boolean `stream`. */
export function checkChat(json: JsonObject): { route: string; stream: boolean } {
  const { model, messages, stream } = json as Record<'model' | 'messages' | 'stream', JsonValue | undefined>;
  if (typeof model !== 'string' || model === '') throw wrong('model', 'a model name is required');
  if (model.length > MAX_MODEL_LENGTH) throw wrong('model', `longer than ${MAX_MODEL_LENGTH} characters`);
  if (!Array.isArray(messages) || messages.length === 0)
    throw wrong('messages', 'a list of at least one message is required');
  if (messages.length > MAX_MESSAGES) throw wrong('messages', `more than ${MAX_MESSAGES}`);
  const bad = messages.findIndex((message) => !isJsonObject(message) || typeof message['role'] !== 'string');
  if (bad !== -1) throw wrong(`messages[${bad}].role`, 'a message must be an object with a role');
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean')
    throw wrong('stream', 'must be true or false');
  return { route: model, stream: stream === true };
}

/** The field as an object. @throws invalid_request where it is none. */
export function requireObject(value: JsonValue | undefined, param: string): JsonObject {
  if (!isJsonObject(value)) throw wrong(param, 'must be an object');
  return value;
}

/** The field as a string. @throws invalid_request where it is none. */
export function requireString(value: JsonValue | undefined, param: string): string {
  if (typeof value !== 'string') throw wrong(param, 'must be a string');
  return value;
}

/** The field as a list; absent and null are an empty one. @throws invalid_request for anything else. */
export function optionalList(value: JsonValue | undefined, param: string): JsonValue[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(param, 'must be a list');
  return value;
}

/** Reads fields of an object as numbers, or leaves them out; null counts as absent. */
export function optionalNumber(json: JsonObject, key: string): number | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(key, 'must be a number');
  return value;
}
