import { createSseFramer, parseSse } from '../lib/sse.ts';
import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../lib/json.ts';
import type { Secret } from '../lib/secret.ts';

/** Where a server is and the key to talk to it. */
export interface ServerAccess {
  url: string;
  key: Secret;
}

export interface ServerClient {
  json(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<JsonObject>;
  /** Writes a body of any size to a stream as it comes. */
  download(path: string, to: NodeJS.WritableStream): Promise<void>;
  upload(
    path: string,
    files: readonly { name: string; bytes: Uint8Array }[],
    fields?: Readonly<Record<string, string>>,
  ): Promise<JsonObject>;
  /** Server-sent events until the stream ends or breaks off. */
  events(path: string): AsyncGenerator<{ event: string; data: JsonObject }>;
}

/** The command line talks to a server as every other caller does: over HTTP. */
export function createServerClient({ url, key }: ServerAccess): ServerClient {
  async function answered(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${key.reveal()}` };
    const response = await fetch(`${url}${path}`, { ...init, headers }).catch((cause: unknown) => {
      throw new Error(
        `The server at ${url} does not answer any more. Work that it has accepted goes on at its next start.`,
        {
          cause,
        },
      );
    });
    if (response.ok) return response;
    const error = objectAt(objectOf(await response.text()), 'error');
    throw new ServerRefusal(stringAt(error ?? {}, 'message') ?? `HTTP ${response.status}`);
  }

  async function send(path: string, init: RequestInit): Promise<JsonObject> {
    return objectOf(await (await answered(path, init)).text());
  }

  return {
    json: (method, path, body) =>
      send(path, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    download: async (path, to) => {
      const { body } = await answered(path, {});
      for await (const chunk of body ?? []) {
        if (!to.write(chunk)) await new Promise((resolve) => to.once('drain', resolve));
      }
    },
    upload: (path, files, fields = {}) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      for (const file of files) form.append('file', new Blob([new Uint8Array(file.bytes)]), file.name);
      return send(path, { method: 'POST', body: form });
    },
    events: async function* (path) {
      const { body } = await answered(path, {});
      const framer = createSseFramer();
      try {
        for await (const packet of body ?? []) {
          const run = framer.push(packet);
          for (const { event = '', data } of run === undefined ? [] : parseSse(run))
            yield { event, data: objectOf(data) };
        }
      } catch (thrown) {
        // A connection that broke is the end of this stream; whoever reads it asks again.
        if (!(thrown instanceof TypeError) && !(thrown instanceof Error && 'code' in thrown)) throw thrown;
      }
    },
  };
}

function objectOf(text: string): JsonObject {
  const json = parseJson(text);
  return isJsonObject(json) ? json : {};
}

/** What the server said instead of doing what it was asked for. */
export class ServerRefusal extends Error {}
