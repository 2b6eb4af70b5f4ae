import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.ts';

/** The schema with every object closed that the caller left open, as the makers of Claude want it. */
export function closedSchema(schema: JsonObject): JsonObject {
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closedValue(value)]));
  if (closed['type'] === 'object' && closed['additionalProperties'] === undefined)
    closed['additionalProperties'] = false;
  return closed;
}

function closedValue(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((each) => (isJsonObject(each) ? closedSchema(each) : each));
  return isJsonObject(value) ? closedSchema(value) : value;
}
