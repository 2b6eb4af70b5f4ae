import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSekisho as compose } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/env.ts';
import type { FileConfig } from '../../src/config/schema.ts';
import { readSettings } from '../../src/config/settings.ts';
import { isJsonObject, parseJson, stringAt } from '../../src/lib/json.ts';
import type { Limits } from '../../src/spec/limits.ts';
import { eventually } from './eventually.ts';

export interface ServerOptions {
  /** What `sekisho.yaml` would hold, as an object. */
  config: FileConfig;
  /** Used as it is and kept; without one, a fresh folder that `stop` removes. */
  dataFolder?: string;
}

/** A running Sekisho of a test. */
export interface TestServer {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string;
  adminKey: string;
  dataFolder: string;
  /** Makes a key over HTTP, as an administrator does. */
  createKey(key: { name: string; limits?: Limits; allowedRoutes?: string[]; expiresMs?: number }): Promise<string>;
  stop(): Promise<void>;
}

/** A Sekisho in a process of its own, as a user starts it. */
export interface ServerProcess extends TestServer {
  pid: number;
  /** SIGKILL: nothing is flushed, nothing is closed. */
  kill(): Promise<void>;
}

const ADMIN_KEY = 'sk-sekisho-test-administrator';
const START_LIMIT_MS = 30_000;

/** Starts `src/main.ts serve` in a process of its own and waits until it is ready. */
export async function startSekishoProcess(options: ServerOptions): Promise<ServerProcess> {
  const dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'sekisho-test-'));
  const configFolder = mkdtempSync(join(tmpdir(), 'sekisho-config-'));
  // JSON is YAML.
  writeFileSync(join(configFolder, 'sekisho.yaml'), JSON.stringify(options.config));
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, '../../src/main.ts'), 'serve'], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: '0',
      SEKISHO_DATA: dataFolder,
      SEKISHO_CONFIG: join(configFolder, 'sekisho.yaml'),
      SEKISHO_ADMIN_KEY: ADMIN_KEY,
    },
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const tail = keepTail(child.stderr);
  const url = await eventually(
    'the server is ready',
    async () => {
      if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}: ${tail()}`);
      const owner = parseJson(readFileSync(join(dataFolder, 'server.json'), 'utf8'));
      const found = isJsonObject(owner) && owner['pid'] === child.pid ? stringAt(owner, 'url') : undefined;
      return found && (await fetch(`${found}/ready`)).ok && found;
    },
    START_LIMIT_MS,
  );
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await child.exited;
    rmSync(configFolder, { recursive: true, force: true });
    if (options.dataFolder === undefined) rmSync(dataFolder, { recursive: true, force: true });
  };
  return {
    url,
    adminKey: ADMIN_KEY,
    dataFolder,
    pid: child.pid,
    createKey: (key) => createKey(url, key),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function createKey(url: string, key: Parameters<TestServer['createKey']>[0]): Promise<string> {
  const { requestsPerMinute, tokensPerMinute, concurrency, budgetMicros } = key.limits ?? {};
  const response = await fetch(`${url}/v1/keys`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_KEY}` },
    // What is undefined is left out of the JSON.
    body: JSON.stringify({
      name: key.name,
      role: 'member',
      allowed_routes: key.allowedRoutes ?? [],
      limits: {
        requests_per_minute: requestsPerMinute,
        tokens_per_minute: tokensPerMinute,
        concurrency,
        budget_usd_per_month: budgetMicros === undefined ? undefined : budgetMicros / 1_000_000,
      },
      expires_at: key.expiresMs === undefined ? undefined : new Date(key.expiresMs).toISOString(),
    }),
  });
  const made = parseJson(await response.text());
  const secret = isJsonObject(made) ? stringAt(made, 'key') : undefined;
  if (secret === undefined) throw new Error(`No key was made (${response.status}): ${JSON.stringify(made)}`);
  return secret;
}

/** Reads a stream to its end and keeps the last of it, so that a full pipe never stops the process. */
function keepTail(stream: ReadableStream<Uint8Array>): () => string {
  let tail = '';
  void (async () => {
    for await (const piece of stream) tail = (tail + new TextDecoder().decode(piece)).slice(-4_000);
  })();
  return () => tail;
}

/** Starts Sekisho inside the process of the tests, through its composition root, on a free port. */
export async function startSekisho(options: ServerOptions): Promise<TestServer> {
  const dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'sekisho-test-'));
  const answer = readSettings(readEnvironment({ SEKISHO_ADMIN_KEY: ADMIN_KEY }), {
    config: options.config,
    port: 0,
    dataFolder,
  });
  if ('problems' in answer) throw new Error(JSON.stringify(answer.problems));
  const { url, stop } = await compose(answer.settings);
  return {
    url,
    adminKey: ADMIN_KEY,
    dataFolder,
    createKey: (key) => createKey(url, key),
    stop: async () => {
      await stop(0);
      if (options.dataFolder === undefined) rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}
