import { SekishoError } from '../spec/errors.ts';
import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../lib/json.ts';
import type { Secret } from '../lib/secret.ts';

/** Where a server is and the key to talk to it. */
export interface ServerAccess {
  url: string;
  key: Secret;
}

export interface ServerClient {
  json(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<JsonObject>;
  upload(path: string, files: readonly { name: string; bytes: Uint8Array }[]): Promise<JsonObject>;
}

/** The command line talks to a server as every other caller does: over HTTP. */
export function createServerClient({ url, key }: ServerAccess): ServerClient {
  async function send(path: string, init: RequestInit): Promise<JsonObject> {
    const headers = { ...init.headers, authorization: `Bearer ${key.reveal()}` };
    const response = await fetch(`${url}${path}`, { ...init, headers }).catch((cause: unknown) => {
      throw new SekishoError('overloaded', { values: { problem: `no answer from ${url}` }, cause });
    });
    const json = parseJson(await response.text());
    const object = isJsonObject(json) ? json : {};
    if (response.ok) return object;
    const message = stringAt(objectAt(object, 'error') ?? {}, 'message') ?? `HTTP ${response.status}`;
    throw new ServerRefusal(message);
  }

  return {
    json: (method, path, body) =>
      send(path, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    upload: (path, files) => {
      const form = new FormData();
      for (const file of files) form.append('file', new Blob([new Uint8Array(file.bytes)]), file.name);
      return send(path, { method: 'POST', body: form });
    },
  };
}

/** What the server said instead of doing what it was asked for. */
export class ServerRefusal extends Error {}
