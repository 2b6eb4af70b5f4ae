import { isJsonObject, parseJson, type JsonValue } from '../lib/json.ts';
import type { DocumentAccess } from '../spec/document-access.ts';

/** Access as it is stored; null: open. */
export function accessJson(access: DocumentAccess | null): string | null {
  return access === null ? null : JSON.stringify(access);
}

/** Reads what accessJson made. What cannot be read opens the document to nobody. */
export function accessOf(json: string | null | undefined): DocumentAccess | null {
  if (json === null || json === undefined) return null;
  const value = parseJson(json);
  if (!isJsonObject(value)) return {};
  const attributes = value['attributes'];
  return {
    ...(value['roles'] !== undefined && { roles: texts(value['roles']) }),
    ...(value['groups'] !== undefined && { groups: texts(value['groups']) }),
    ...(isJsonObject(attributes) && {
      attributes: Object.fromEntries(Object.entries(attributes).map(([name, values]) => [name, texts(values)])),
    }),
  };
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
