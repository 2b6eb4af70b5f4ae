import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSekishoProcess } from '../../test/support/start-server.ts';

export const PORTKEY_VERSION = '1.15.2';
/** With later ones every stream of Portkey's fails with "TypeError: immutable" (Portkey-AI/gateway issue 1389). */
const HONO_NODE_SERVER_VERSION = '1.13.0';

/** One proxy under test: where it listens, which process does its work, and what a caller sends to it. */
export interface Side {
  name: string;
  port: number;
  pid: number;
  headers: Record<string, string>;
  stop(): Promise<void>;
}

const HERE = import.meta.dirname;
const JSON_HEADERS = { 'content-type': 'application/json' };

/** Starts a Bun script that prints `{"port": ...}` in its first line. */
export async function startScript(name: string, environment: Record<string, string> = {}): Promise<Side> {
  const child = Bun.spawn([process.execPath, join(HERE, name)], {
    env: { ...process.env, ...environment },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const line = await firstLine(child.stdout);
  const port = Number(/"port":(\d+)/.exec(line)?.[1]);
  return {
    name,
    port,
    pid: child.pid,
    headers: JSON_HEADERS,
    stop: async () => {
      child.kill();
      await child.exited;
    },
  };
}

/** The bare proxy in front of `upstreamOrigin`. */
export async function startBare(upstreamOrigin: string): Promise<Side> {
  const side = await startScript('bare-proxy.ts', { UPSTREAM: upstreamOrigin, KEY: 'bench-key' });
  return { ...side, name: 'bare', headers: { ...JSON_HEADERS, authorization: 'Bearer bench-key' } };
}

/** Portkey's gateway on Node, from npm into a folder of its own under the system's temporary folder. */
export async function startPortkey(upstreamOrigin: string): Promise<Side> {
  const folder = join(tmpdir(), `sekisho-bench-portkey-${PORTKEY_VERSION}-${HONO_NODE_SERVER_VERSION}`);
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  if (!existsSync(script)) {
    mkdirSync(folder, { recursive: true });
    const dependencies = { '@portkey-ai/gateway': PORTKEY_VERSION, '@hono/node-server': HONO_NODE_SERVER_VERSION };
    const overrides = { '@hono/node-server': HONO_NODE_SERVER_VERSION };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies, overrides }));
    const install = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
    if (install.status !== 0) throw new Error(`npm install failed: ${install.stderr.toString().slice(0, 500)}`);
  }
  const port = freePort();
  const child = Bun.spawn(['node', script, '--headless', `--port=${port}`], {
    env: { ...process.env, NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: 'localhost,127.0.0.1' },
    stdout: 'ignore',
    stderr: 'ignore',
  });
  await listening(port);
  return {
    name: 'portkey',
    port,
    pid: child.pid,
    headers: {
      ...JSON_HEADERS,
      authorization: 'Bearer upstream',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${upstreamOrigin}/v1`,
    },
    stop: async () => {
      child.kill();
      await child.exited;
    },
  };
}

/** Sekisho as a user runs it, with a key that has limits and a budget, a priced model, ledger and metrics on. */
export async function startSekishoSide(upstreamOrigin: string): Promise<Side> {
  const server = await startSekishoProcess({
    config: {
      discover: false,
      // What is measured is a gateway; the handbook would bring the index and the embedding model into memory.
      handbook: false,
      providers: {
        bench: {
          wire: 'openai',
          base_url: `${upstreamOrigin}/v1`,
          api_key: 'upstream',
          models: ['bench-model'],
          prices: { 'bench-model': { input_per_million: 0.15, output_per_million: 0.6 } },
        },
      },
      routes: { 'bench-model': ['bench/bench-model'] },
      logging: { level: 'info' },
    },
  });
  const key = await server.createKey({
    name: 'bench',
    limits: { requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000_000, concurrency: 10_000, budgetMicros: 1e12 },
  });
  return {
    name: 'sekisho',
    port: Number(new URL(server.url).port),
    pid: server.pid,
    headers: { ...JSON_HEADERS, authorization: `Bearer ${key}` },
    // Nothing of the bench is worth a drain.
    stop: server.kill,
  };
}

function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
  const port = server.port ?? 0;
  void server.stop(true);
  return port;
}

async function listening(port: number): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await Bun.sleep(50)) {
    const open = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (open) return;
  }
  throw new Error(`Nothing listens on port ${port} after 30 s.`);
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = '';
  const reader = stream.getReader();
  while (!text.includes('\n')) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text.split('\n')[0] ?? '';
}
