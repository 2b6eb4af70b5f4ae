import { isJsonObject, parseJson, type JsonObject } from '../lib/json.ts';

/** An object as it was stored; an empty one where there is none. */
export function storedObject(json: string | null): JsonObject {
  const value = parseJson(json ?? '{}');
  return isJsonObject(value) ? value : {};
}

/** Headings as they were stored; what is none is left out. */
export function storedHeadings(json: string | null): { level: number; start: number; text: string }[] {
  const value = parseJson(json ?? '[]');
  if (!Array.isArray(value)) return [];
  return value.flatMap((heading) => {
    if (!isJsonObject(heading)) return [];
    const { level, start, text } = heading;
    return typeof level === 'number' && typeof start === 'number' && typeof text === 'string'
      ? [{ level, start, text }]
      : [];
  });
}
