import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileConfig } from '../../src/config/schema.ts';
import { arrayAt, isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from './fake-provider/fake-provider.ts';
import { startSekisho, type TestServer } from './start-server.ts';

/** The credential of the provider `up` of the file. */
export const FILE_CREDENTIAL = 'sk-file-credential-0815';

/** What an administrator's test was answered. */
export interface Told {
  status: number;
  json: JsonObject;
  text: string;
  headers: Headers;
}

/** A Sekisho whose administrator may name the loopback, with two fake upstreams, that can be started again. */
export interface AdminStage {
  upstream: FakeProvider;
  other: FakeProvider;
  readonly server: TestServer;
  /** One request of JSON; with the administrator's key unless another is given. */
  ask(method: string, path: string, body?: object, key?: string): Promise<Told>;
  /** One chat call. */
  chat(model: string, more?: object, key?: string): Promise<Told>;
  /** Stops the server and starts it again on the same data folder. */
  restart(): Promise<void>;
  /** Stops the server and leaves the data folder to others. */
  pause(): Promise<void>;
  stop(): Promise<void>;
}

/** The file has the provider `up` (wire openai, model gpt-4o-mini) and the route `fast`. */
export async function startAdminStage(config: FileConfig = {}): Promise<AdminStage> {
  const upstream = await startFakeProvider();
  const other = await startFakeProvider();
  const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-admin-'));
  const start = (): Promise<TestServer> =>
    startSekisho({
      dataFolder,
      config: {
        discover: false,
        handbook: false,
        logging: { level: 'silent' },
        retry: { attempts: 1 },
        breaker: { minimum_calls: 2, open_ms: 60_000 },
        server: { upstream_hosts: ['127.0.0.1', 'models.internal'] },
        providers: {
          up: {
            wire: 'openai',
            base_url: upstream.baseUrl,
            api_key: FILE_CREDENTIAL,
            models: ['gpt-4o-mini'],
            prices: { 'gpt-4o-mini': { input_per_million: 1, output_per_million: 1 } },
          },
        },
        routes: { fast: ['up/gpt-4o-mini'] },
        ...config,
      },
    });
  let server = await start();
  let paused = false;
  const ask: AdminStage['ask'] = async (method, path, body, key = server.adminKey) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = parseJson(text);
    return { status: response.status, json: isJsonObject(json) ? json : {}, text, headers: response.headers };
  };
  return {
    upstream,
    other,
    get server() {
      return server;
    },
    ask,
    chat: (model, more = {}, key) =>
      ask('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hi' }], ...more }, key),
    restart: async () => {
      await server.stop();
      server = await start();
    },
    pause: async () => {
      await server.stop();
      paused = true;
    },
    stop: async () => {
      if (!paused) await server.stop();
      await Promise.all([upstream.stop(), other.stop()]);
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

/** The row of a list answer with this name. */
export function rowOf({ json }: Told, name: string): JsonObject | undefined {
  return arrayAt(json, 'data')
    .filter(isJsonObject)
    .find((row) => row['name'] === name || row['target'] === name);
}
