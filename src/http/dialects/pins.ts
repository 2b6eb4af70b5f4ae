import { isJsonObject, type JsonObject } from '../../lib/json.ts';
import type { JsonBody } from '../read-body.ts';

/** The mark of a message of any dialect that is kept when the history is trimmed: `"pinned": true`. */
const FIELD = 'pinned';
/** Where the dialects keep their messages. */
const LISTS = ['messages', 'input'];

/** For a decoder: the mark in the vocabulary, where the message carries it. */
export function pinOf(message: JsonObject): { pinned?: true } {
  return message[FIELD] === true ? { pinned: true } : {};
}

/**
 * The body without marks, for a target that takes it as it is: upstreams refuse fields that they do not know.
 * A body without marks is handed back itself, for the price of one search through its text.
 */
export function withoutPins(body: JsonBody): JsonBody {
  if (!body.text.includes(`"${FIELD}"`)) return body;
  let found = false;
  const json: JsonObject = { ...body.json };
  for (const list of LISTS) {
    const messages = json[list];
    if (!Array.isArray(messages)) continue;
    json[list] = messages.map((message) => {
      if (!isJsonObject(message) || !(FIELD in message)) return message;
      found = true;
      return Object.fromEntries(Object.entries(message).filter(([name]) => name !== FIELD));
    });
  }
  return found ? { json, text: JSON.stringify(json) } : body;
}
