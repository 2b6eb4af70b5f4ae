import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';

/** Arguments are the model's own text and may be no JSON; for wires that want an object. */
export function argumentsObject(text: string): JsonObject {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}
